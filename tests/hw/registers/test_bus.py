"""The registers, driven by a bus model of others."""

from pathlib import Path

from tercel_hw.registers import AcceleratorControl, ControlConfig

BENCH = Path(__file__).parent / "benches" / "control_bench.py"


def test_the_control_registers(bench):
    bench(AcceleratorControl(config=ControlConfig()), BENCH)
