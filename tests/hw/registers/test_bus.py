"""The registers on Icarus, driven by a bus model of others."""

import importlib.util
import shutil
from pathlib import Path

import pytest

from tercel_hw.emission import emit_verilog
from tercel_hw.registers import AcceleratorControl, ControlConfig

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("iverilog") is None, reason="iverilog is not on the path"),
    pytest.mark.skipif(
        any(importlib.util.find_spec(name) is None for name in ("cocotb", "cocotbext")),
        reason="cocotb and cocotbext-axi are not installed",
    ),
]
BENCHES = Path(__file__).parent / "benches"


def test_the_control_registers(tmp_path, monkeypatch):
    """``-g2005`` because later standards leave X at the start."""
    from cocotb_tools.check_results import get_results
    from cocotb_tools.runner import get_runner

    monkeypatch.syspath_prepend(BENCHES)
    source = tmp_path / "control.v"
    source.write_text(emit_verilog(AcceleratorControl(config=ControlConfig()), "control"))
    runner = get_runner("icarus")
    runner.build(
        sources=[source],
        hdl_toplevel="control",
        build_dir=tmp_path,
        build_args=["-g2005"],
        timescale=("1ns", "1ps"),
    )
    results = runner.test(hdl_toplevel="control", test_module="control_bench", test_dir=tmp_path)
    assert get_results(results) == (1, 0)
