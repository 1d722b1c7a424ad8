"""Emitted Verilog as simulators, readers of waves and synthesisers take it."""

import re
import shutil
import subprocess
import sys

import pytest
from amaranth.hdl import Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from tercel_hw.emission import emit_rtlil, emit_verilog
from tercel_hw.target import Target

ESCAPE = re.compile(r"\\|\$(?!signed\b|unsigned\b)")
"""Characters of escaped identifiers; Yosys writes ``$`` otherwise only in sign casts."""


class Part(wiring.Component):
    """Names that Yosys escapes, a process whose inputs do not change, memories of every style."""

    def __init__(self):
        super().__init__({"i": In(signed(8)), "o": Out(8), "idle": Out(1), "read": Out(8)})

    def elaborate(self, platform):
        m = Module()
        state = Signal(data.ArrayLayout(unsigned_pair(), 2))
        never = Signal()
        m.d.sync += state[0].low.eq(state[1].high + self.i + 1)
        with m.If(~never):
            m.d.comb += self.idle.eq(1)
        with m.FSM():
            with m.State("begin"):
                with m.If(self.i == 3):
                    m.next = "bit"
            with m.State("bit"):
                m.d.comb += self.o.eq(state[0].low)
        for style in ("ultra", "block", "distributed"):
            memory = Memory(shape=8, depth=64, init=[], attrs={"ram_style": style})
            m.submodules[style] = memory
            write, read = memory.write_port(), memory.read_port()
            m.d.comb += [write.en.eq(1), write.addr.eq(self.i), write.data.eq(self.i)]
            m.d.comb += [read.en.eq(1), read.addr.eq(~self.i)]
            if style == "ultra":
                m.d.comb += self.read.eq(read.data)
        return m


def unsigned_pair():
    return data.StructLayout({"low": 4, "high": 4})


@pytest.fixture(scope="module")
def verilog():
    return emit_verilog(Part(), "part")


@pytest.fixture
def simulate(tmp_path):
    """Runs a test bench with Icarus in a generation of the language; gives what it prints."""
    if shutil.which("iverilog") is None:
        pytest.skip("no iverilog on the path")

    def run(text, bench, generation):
        (tmp_path / "design.v").write_text(text)
        (tmp_path / "bench.v").write_text(bench)
        command = ["iverilog", f"-g{generation}", "-s", "bench", "-o", "a", "design.v", "bench.v"]
        subprocess.run(command, cwd=tmp_path, check=True, timeout=60)
        done = subprocess.run(
            ["vvp", "-n", "a"], cwd=tmp_path, check=True, capture_output=True, text=True, timeout=60
        )
        return done.stdout.splitlines()

    return run


SYNTHESIS = """
from pyosys import libyosys
design = libyosys.Design()
libyosys.run_pass("read_verilog part.v", design)
libyosys.run_pass("synth_ecp5 -top part", design)
libyosys.run_pass("tee -o cells stat", design)
"""
BENCH = """module bench;
  reg clk, rst;
  reg [7:0] i;
  wire [7:0] o, read;
  wire idle;
  part dut(.clk(clk), .rst(rst), .i(i), .o(o), .idle(idle), .read(read));
  initial begin
    $dumpfile("waves.vcd");
    $dumpvars(0, dut);
    clk = 0; rst = 0; i = 0;
    #1 $display("%b %b", idle, o);
    $finish;
  end
endmodule
"""


@pytest.mark.parametrize("generation", ["2005", "2009", "2012"])
def test_nothing_is_unknown_before_the_first_clock(generation, verilog, simulate):
    assert "always @*" in verilog
    assert simulate(verilog, BENCH, generation)[-1] == "1 00000000"


def test_names_are_plain(verilog):
    assert not ESCAPE.findall(verilog)


def test_waves_follow_their_grammar(verilog, simulate, tmp_path):
    vcd = pytest.importorskip("vcd.reader")
    simulate(verilog, BENCH, "2012")
    with (tmp_path / "waves.vcd").open("rb") as file:
        declared = [token.data for token in vcd.tokenize(file) if token.kind is vcd.TokenKind.VAR]
    names = [token.reference for token in declared]
    assert {"idle", "o", "at__start"} <= set(names)
    assert all(re.fullmatch(r"[A-Za-z_]\w*", name) for name in names)


def test_the_portable_target_has_no_attributes_of_a_vendor(verilog):
    """And its memories keep what else they had."""
    assert "ram_style" not in verilog
    vendors = emit_verilog(Part(), "part", target=Target.ULTRASCALE_PLUS)
    assert vendors.count("ram_style") == 3
    assert re.sub(r" *\(\* ram_style = .*\n", "", vendors) == verilog


def test_plain_synthesis_for_another_family_takes_it(verilog, tmp_path):
    """An UltraRAM, which no Lattice part has, stopped `synth_ecp5` as the style of a memory."""
    pytest.importorskip("pyosys")
    (tmp_path / "part.v").write_text(verilog)
    synthesis = [sys.executable, "-c", SYNTHESIS]  # Yosys ends its process where it stops.
    done = subprocess.run(synthesis, cwd=tmp_path, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "TRELLIS_FF" in (tmp_path / "cells").read_text()


def test_two_runs_are_equal():
    assert emit_verilog(Part(), "part") == emit_verilog(Part(), "part")
    assert emit_rtlil(Part(), "part") == emit_rtlil(Part(), "part")
