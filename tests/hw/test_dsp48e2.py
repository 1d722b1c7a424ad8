import pytest
from amaranth.hdl import Const, Module, Signal, signed
from amaranth.lib import wiring

from tercel_hw.dsp48e2 import dsp48e2, sign_extended
from tercel_hw.emission import emit_rtlil, emit_verilog
from tercel_hw.target import Target


class Squarer(wiring.Component):
    """A square in a DSP48E2, or in what stands for it."""

    def __init__(self):
        super().__init__({"x": wiring.In(signed(10)), "o": wiring.Out(48)})

    def elaborate(self, platform):
        m = Module()
        if platform is Target.ULTRASCALE_PLUS:
            inputs = {"A": self.x, "B": self.x, "OPMODE": Const(0b101, 9)}
            m.submodules.cell = dsp48e2(attributes={"CREG": 0}, inputs=inputs, P=self.o)
        else:
            m.d.sync += self.o.eq(self.x * self.x)
        return m


def test_the_target_chooses():
    portable = emit_rtlil(Squarer(), "top")
    assert portable == emit_rtlil(Squarer(), "top", target=Target.PORTABLE)
    assert "DSP48E2" not in portable
    assert "DSP48E2" in emit_rtlil(Squarer(), "top", target=Target.ULTRASCALE_PLUS)


def test_every_pin_is_tied():
    text = emit_verilog(Squarer(), "top", target=Target.ULTRASCALE_PLUS)
    assert ".CREG(32'd0)" in text
    for pin in (".CLK(clk)", ".CEP(1'h1)", ".RSTP(1'h0)", ".D(27'h0000000)", ".OPMODE(9'h005)"):
        assert pin in text, text
    assert ".A({ x[9], x[9]" in text


@pytest.mark.parametrize(("value", "width"), [(-3, 4), (3, 4), (5, 3)])
def test_extension(value, width):
    shape = signed(4) if value < 0 else width
    signal = Signal(shape, init=value)
    assert len(sign_extended(signal, 9)) == 9


def test_what_does_not_fit():
    with pytest.raises(ValueError, match="a value of 19 bits does not fit an input of 18"):
        dsp48e2(attributes={}, inputs={"B": Const(0, 19)})
    with pytest.raises(ValueError, match="a DSP48E2 has no pin Q"):
        dsp48e2(attributes={}, inputs={"Q": Const(0, 1)})
    with pytest.raises(ValueError, match="a DSP48E2 has no pin XOROUT"):
        dsp48e2(attributes={}, inputs={}, XOROUT=Signal(8))
