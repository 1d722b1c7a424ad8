"""The configuration on a small design; test_bundle has the accelerator."""

import pytest
from amaranth.hdl import Const, Module, signed
from amaranth.lib import wiring

from tercel_hw.emission import emit_verilog
from tercel_hw.export.lint import lint_configuration
from tercel_hw.primitives import primitive_models
from tercel_hw.primitives.dsp48e2 import dsp48e2
from tercel_hw.target import Target
from tercel_hw.tlmm.ternary_adder import TernaryAdder


class Design(wiring.Component):
    """Some of each primitive."""

    def __init__(self):
        number = signed(10)
        super().__init__(
            {"x": wiring.In(number), "o": wiring.Out(number), "p": wiring.Out(signed(48))}
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.adder = adder = TernaryAdder(width=10)
        m.d.comb += [operand.eq(self.x) for operand in (adder.a, adder.b, adder.c)]
        m.d.comb += self.o.eq(adder.o)
        inputs = {"A": self.x, "B": self.x, "OPMODE": Const(0b101, 9)}
        m.submodules.cell = dsp48e2(attributes={"CREG": 0}, inputs=inputs, P=self.p)
        return m


@pytest.fixture
def design(tmp_path):
    """Verilog with primitives; in the folder lie their models and the configuration."""
    (tmp_path / "a_primitives.v").write_text(primitive_models(Target.ULTRASCALE_PLUS))
    (tmp_path / "a.vlt").write_text(lint_configuration("a.v", "a_primitives.v"))
    return emit_verilog(Design(), "top", target=Target.ULTRASCALE_PLUS)


def test_primitives_are_silent(design, lint, tmp_path):
    assert all(f"  {name} " in design for name in ("DSP48E2", "LUT3", "LUT4", "CARRY8"))
    (tmp_path / "a.v").write_text(design)
    lint("top", "a.vlt", "a.v", "a_primitives.v")


@pytest.mark.parametrize("pin", ["CEP", "PCIN", "CI_TOP", "I2"])
def test_a_missing_input_is_reported(pin, design, lint, tmp_path):
    lines = design.splitlines(keepends=True)
    lines.remove(next(line for line in lines if line.startswith(f"    .{pin}(")))
    (tmp_path / "a.v").write_text("".join(lines))
    complaint = f"Instance has missing pin: '{pin}'"
    lint("top", "a.vlt", "a.v", "a_primitives.v", complaint=complaint)
