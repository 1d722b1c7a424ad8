"""The bus protocol on Icarus, against bus models of others."""

import importlib.util
import shutil
from pathlib import Path

import pytest

from tercel_hw.emission import emit_verilog
from tercel_hw.memory import (
    AxiConfig,
    AxiWriter,
    BurstConfig,
    ReaderConfig,
    StripedConfig,
    StripedReader,
    WriterConfig,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("iverilog") is None, reason="iverilog is not on the path"),
    pytest.mark.skipif(
        any(importlib.util.find_spec(name) is None for name in ("cocotb", "cocotbext")),
        reason="cocotb and cocotbext-axi are not installed",
    ),
]
BENCHES = Path(__file__).parent / "benches"


def simulate(tmp_path, monkeypatch, component, name):
    """Run a cocotb bench; ``-g2005`` because later standards leave X at the start."""
    from cocotb_tools.check_results import get_results
    from cocotb_tools.runner import get_runner

    monkeypatch.syspath_prepend(BENCHES)
    source = tmp_path / f"{name}.v"
    source.write_text(emit_verilog(component, name))
    runner = get_runner("icarus")
    runner.build(
        sources=[source],
        hdl_toplevel=name,
        build_dir=tmp_path,
        build_args=["-g2005"],
        timescale=("1ns", "1ps"),
    )
    results = runner.test(hdl_toplevel=name, test_module=f"{name}_bench", test_dir=tmp_path)
    tests, failures = get_results(results)
    assert (tests, failures) == (1, 0)


def test_a_striped_reader(tmp_path, monkeypatch):
    burst = BurstConfig(axi=AxiConfig(address_width=32), max_beats=64, count_width=12)
    reader = ReaderConfig(burst=burst, buffer_beats=128, outstanding=4)
    component = StripedReader(config=StripedConfig(reader=reader, ports=2))
    simulate(tmp_path, monkeypatch, component, "striped")


def test_a_writer(tmp_path, monkeypatch):
    simulate(tmp_path, monkeypatch, AxiWriter(config=WriterConfig()), "writer")
