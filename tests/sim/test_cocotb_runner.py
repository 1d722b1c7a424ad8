import subprocess
import sys
import time

import pytest

from tercel.errors import TercelError
from tercel_sim import cocotb_runner
from tercel_sim.cocotb_runner import check_simulator, run_bench

COUNTER = """module counter(input clk, input rst, output reg [3:0] count);
  always @(posedge clk) if (rst) count <= 0; else count <= count + 1;
endmodule
"""
BENCH = """import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles
from neighbour import FIRST


@cocotb.test()
async def it_counts(dut):
    Clock(dut.clk, 4, "ns").start()
    dut.rst.value = FIRST
    await ClockCycles(dut.clk, 2)
    dut.rst.value = 0
    await ClockCycles(dut.clk, 5)
    assert dut.count.value == int(cocotb.plusargs["count"])
"""


@pytest.fixture
def counter(simulator, tmp_path):
    """Runs the bench of the counter, which expects a count."""
    benches = tmp_path / "benches"
    benches.mkdir()
    (benches / "counts.py").write_text(BENCH)
    (benches / "neighbour.py").write_text("FIRST = 1\n")

    def run(count=4, text=BENCH, verilog=COUNTER, **options):
        (benches / "counts.py").write_text(text)
        run_bench(
            verilog,
            top="counter",
            bench=benches / "counts.py",
            folder=tmp_path / "run",
            simulator=simulator,
            arguments={"count": count},
            **options,
        )

    return run


def test_a_bench_passes_or_fails(counter, simulator, tmp_path):
    counter()
    with pytest.raises(TercelError, match=rf"counts failed on {simulator}, see .*/run/log:") as at:
        counter(count=5)
    assert "assert" in str(at.value)
    assert "FAIL=1" in str(at.value)
    assert "FAIL=1" in (tmp_path / "run" / "log").read_text()


def test_no_test_is_a_failure(counter):
    with pytest.raises(TercelError, match="counts failed"):
        counter(text="")


def test_a_wrong_design_is_a_failure(counter):
    with pytest.raises(TercelError, match="syntax error"):
        counter(verilog="module counter(;")


@pytest.fixture
def stuck(tmp_path):
    """The text of a bench that does not end, and whether it still runs."""
    note = tmp_path / "note"
    loop = f"    while True:\n        open({str(note)!r}, 'a').write('.')\n"

    def runs():
        size = note.stat().st_size if note.exists() else 0
        time.sleep(0.1)
        return note.exists() and note.stat().st_size > size

    return BENCH.replace("    dut.rst.value = 0\n", loop), runs


def test_a_stuck_bench_is_ended(counter, simulator, stuck, tmp_path):
    text, runs = stuck
    limit = {"icarus": 12, "verilator": 60}[simulator]
    with pytest.raises(TercelError, match=rf"counts did not end within {limit} s, see .*/log"):
        counter(text=text, limit_s=limit)
    assert (tmp_path / "note").exists()
    assert not runs()


def test_a_bench_ends_with_who_started_it(stuck, simulator, tmp_path):
    text, runs = stuck
    (tmp_path / "counts.py").write_text(text)
    (tmp_path / "neighbour.py").write_text("FIRST = 1\n")
    call = f"run_bench({COUNTER!r}, top='counter', bench=Path('counts.py'), folder=Path('run'),"
    call += f" simulator={simulator!r})"
    lines = ["from pathlib import Path", "from tercel_sim.cocotb_runner import run_bench", call]
    with subprocess.Popen([sys.executable, "-c", "\n".join(lines)], cwd=tmp_path) as starter:
        patience = time.monotonic() + 120
        try:
            while not runs():
                assert starter.poll() is None
                assert time.monotonic() < patience
        finally:
            starter.kill()
    time.sleep(0.5)
    assert not runs()


def test_what_is_missing_is_named(monkeypatch):
    with pytest.raises(TercelError, match="one of icarus, verilator, not 'vcs'"):
        check_simulator("vcs")
    monkeypatch.setattr(cocotb_runner.shutil, "which", lambda tool: None)
    with pytest.raises(TercelError, match="needs iverilog: apt install iverilog"):
        check_simulator("icarus")
    monkeypatch.setattr(cocotb_runner, "PACKAGES", ("cocotb", "amaranth.nothing"))
    with pytest.raises(TercelError, match=r"needs amaranth.nothing: pip install 'tercel\[sim\]'"):
        check_simulator("icarus")
    monkeypatch.setattr(cocotb_runner, "PACKAGES", ("nothing.at_all",))
    with pytest.raises(TercelError, match=r"needs nothing.at_all"):
        check_simulator("icarus")
