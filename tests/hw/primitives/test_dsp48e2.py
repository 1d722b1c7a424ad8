import pytest
from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring

from tercel.errors import TercelError
from tercel_hw.emission import emit_rtlil, emit_verilog
from tercel_hw.float32 import Stages
from tercel_hw.primitives.dsp48e2 import dsp48e2, sign_extended
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


class Accumulator(wiring.Component):
    """A sum of products of a or d and b that uses every register with its own enable."""

    def __init__(self):
        super().__init__(
            {
                "a": wiring.In(signed(27)),
                "d": wiring.In(signed(27)),
                "b": wiring.In(signed(18)),
                "takes_d": wiring.In(1),
                "subtracts": wiring.In(1),
                "mode": wiring.In(2),
                **{f"enable_{name}": wiring.In(1) for name in ("a", "b", "d", "ad", "m", "p")},
                "enable_modes": wiring.In(1),
                "o": wiring.Out(48),
            }
        )

    def elaborate(self, platform):
        m = Module()
        opmode, alumode = Signal(9), Signal(4)
        m.d.comb += [
            opmode.eq(Mux(self.mode[0], 0b0101, 0) | Mux(self.mode[1], 0b010_0000, 0)),
            alumode.eq(Mux(self.subtracts, 0b0011, 0)),
        ]
        if platform is not Target.ULTRASCALE_PLUS:
            self.portable(m, opmode, alumode)
            return m
        attributes = {"AMULTSEL": "AD", "BREG": 2, "CREG": 0}
        inputs = {
            "A": self.a,
            "B": self.b,
            "D": self.d,
            "INMODE": Cat(Const(0, 1), self.takes_d, self.takes_d),
            "OPMODE": opmode,
            "ALUMODE": alumode,
            "CEA2": self.enable_a,
            "CEB1": self.enable_b,
            "CEB2": self.enable_b,
            "CED": self.enable_d,
            "CEAD": self.enable_ad,
            "CEM": self.enable_m,
            "CEP": self.enable_p,
            **dict.fromkeys(("CECTRL", "CEINMODE", "CEALUMODE"), self.enable_modes),
        }
        m.submodules.cell = dsp48e2(attributes=attributes, inputs=inputs, P=self.o)
        return m

    def portable(self, m, opmode, alumode):
        a = Stages(m, self.enable_a)(a=self.a).a
        d = Stages(m, self.enable_d)(d=self.d).d
        b = Stages(m, self.enable_b).delay(self.b, 2, "b")
        modes = Stages(m, self.enable_modes)(takes_d=self.takes_d, opmode=opmode, alumode=alumode)
        ad = Stages(m, self.enable_ad)(ad=Mux(modes.takes_d, d, a)).ad
        product = Stages(m, self.enable_m)(product=ad * b).product
        so_far = Mux(modes.opmode[5], self.o.as_signed(), 0)
        step = Mux(modes.opmode[0], product, 0)
        with m.If(self.enable_p):
            m.d.sync += self.o.eq(Mux(modes.alumode[0], so_far - step, so_far + step))


class Wide(wiring.Component):
    """``a * b`` of 27 and 35 bits and a constant in two cells, and whether it ends in zeros."""

    def __init__(self):
        super().__init__(
            {
                "enable": wiring.In(1),
                "a": wiring.In(signed(27)),
                "b": wiring.In(signed(35)),
                "high": wiring.Out(48),
                "low": wiring.Out(17),
                "zeros": wiring.Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        stages = Stages(m, self.enable)
        if platform is not Target.ULTRASCALE_PLUS:
            product = stages.delay(self.a * self.b, 3, "product")
            low = stages.delay(self.a * self.b[:17], 3, "low")
            m.d.comb += [self.low.eq(low), self.zeros.eq(low[:17] == 0)]
            m.d.comb += self.high.eq(stages.delay((product >> 17) + 5, 1, "high"))
            return m
        low, cascade = Signal(48), Signal(48)
        enables = dict.fromkeys(("CEA1", "CEA2", "CEB1", "CEB2", "CEM", "CEP"), self.enable)
        m.submodules.low = dsp48e2(
            attributes={"USE_PATTERN_DETECT": "PATDET", "MASK": (1 << 48) - (1 << 17)},
            inputs={"A": self.a, "B": self.b[:17], "OPMODE": Const(0b101, 9), **enables},
            P=low,
            PCOUT=cascade,
            PATTERNDETECT=self.zeros,
        )
        m.submodules.high = dsp48e2(
            attributes={"AREG": 2, "BREG": 2, "RND": 5},
            inputs={
                "A": self.a,
                "B": self.b[17:].as_signed(),
                "OPMODE": Const(0b10_101_0101, 9),
                "PCIN": cascade,
                **enables,
            },
            P=self.high,
        )
        m.d.comb += self.low.eq(low)
        return m


class Difference(wiring.Component):
    """``c - ab - carry`` without a multiplier; ``ab`` has no register."""

    def __init__(self, **attributes):
        self.attributes = attributes
        super().__init__(
            {"ab": wiring.In(48), "c": wiring.In(48), "carry": wiring.In(1), "o": wiring.Out(48)}
        )

    def elaborate(self, platform):
        m = Module()
        if platform is Target.ULTRASCALE_PLUS:
            bare = dict.fromkeys(("AREG", "ACASCREG", "BREG", "BCASCREG", "MREG"), 0)
            m.submodules.cell = dsp48e2(
                attributes={"USE_MULT": "NONE", **bare, **self.attributes},
                inputs={
                    "A": self.ab[18:],
                    "B": self.ab[:18],
                    "C": self.c,
                    "CARRYIN": self.carry,
                    "OPMODE": Const(0b11_0011, 9),
                    "ALUMODE": Const(0b0011, 4),
                },
                P=self.o,
            )
        else:
            held = Stages(m, Const(1))(c=self.c, carry=self.carry)
            m.d.sync += self.o.eq(held.c - self.ab - held.carry)
        return m


ENABLES = tuple(f"enable_{name}" for name in ("a", "b", "d", "ad", "m", "p", "modes"))


def test_the_models_preadder_accumulator_and_enables(check_forms):
    check_forms(Accumulator, start_up=8, cycles=2000, enables=ENABLES)


def test_the_models_cascade_constant_and_pattern(check_forms):
    check_forms(Wide, start_up=5)


def test_the_models_adder_without_multiplier(check_forms):
    check_forms(Difference, start_up=3)


def test_the_model_tells_a_difference(check_forms):
    with pytest.raises(AssertionError, match=r"cycles differ: \d+: {'o': \d+} is not {'o': \d+}"):
        check_forms(lambda: Difference(CREG=0), start_up=3, cycles=50)


def test_the_model_refuses_what_it_does_not_know(check_forms):
    with pytest.raises(TercelError, match="is not modelled, or not allowed"):
        check_forms(lambda: Difference(USE_MULT="MULTIPLY", MREG=1), start_up=3, cycles=50)
