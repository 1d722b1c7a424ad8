"""The configuration on a small design; test_bundle has the accelerator."""

from pathlib import Path

import pytest

from tercel_hw.emission import emit_verilog
from tercel_hw.export.lint import MODELS_WAIVED, WAIVED, lint_configuration
from tercel_hw.primitives import primitive_models
from tercel_hw.target import Target


@pytest.fixture
def design(primitive_design, tmp_path):
    """Verilog with primitives; in the folder lie their models and the configuration."""
    (tmp_path / "a_primitives.v").write_text(primitive_models(Target.ULTRASCALE_PLUS))
    (tmp_path / "a.vlt").write_text(lint_configuration("a.v", "a_primitives.v"))
    return emit_verilog(primitive_design(), "top", target=Target.ULTRASCALE_PLUS)


def test_primitives_are_silent(design, lint, tmp_path):
    assert all(f"  {name} " in design for name in ("DSP48E2", "LUT3", "LUT4", "CARRY8", "FDRE"))
    (tmp_path / "a.v").write_text(design)
    lint("top", "a.vlt", "a.v", "a_primitives.v")


@pytest.mark.parametrize("pin", ["CEP", "PCIN", "CI_TOP", "I2"])
def test_a_missing_input_is_reported(pin, design, lint, tmp_path):
    lines = design.splitlines(keepends=True)
    lines.remove(next(line for line in lines if line.startswith(f"    .{pin}(")))
    (tmp_path / "a.v").write_text("".join(lines))
    complaint = f"has missing pin: '{pin}'"  # Some say Cell, some Instance.
    lint("top", "a.vlt", "a.v", "a_primitives.v", complaint=complaint)


def test_every_supported_verilator_knows_the_rules():
    """It stops at others: `Unknown Error Code: PROCASSINIT`."""
    lines = (Path(__file__).parent / "verilator_5_006_rules.txt").read_text().splitlines()
    known = {line for line in lines if not line.startswith("#")}
    assert len(known) == 79
    assert {*WAIVED, *MODELS_WAIVED, "PINMISSING"} <= known
