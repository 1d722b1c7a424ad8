import random

import pytest
from amaranth.hdl import Module, Signal, signed
from amaranth.lib import wiring

from tercel_hw.dense.packing import PACKED_TERMS, pack, split
from tercel_sim.testbench import run

EXTREME = [(a, b, c) for a in (127, -127) for b in (127, -127) for c in (127, -127)]


class Splitter(wiring.Component):
    """A DSP's product of packed factors, and the parts of a sum."""

    def __init__(self):
        super().__init__(
            {
                "high": wiring.In(signed(8)),
                "low": wiring.In(signed(8)),
                "factor": wiring.In(signed(8)),
                "product": wiring.Out(signed(35)),
                "total": wiring.In(signed(38)),
                "high_sum": wiring.Out(signed(20)),
                "low_sum": wiring.Out(signed(18)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        packed = Signal(signed(27))
        m.d.sync += Signal().eq(1)  # the bench wants a clock
        high, low = split(self.total)
        m.d.comb += [
            packed.eq(pack(self.high, self.low)),
            self.product.eq(packed * self.factor),
            self.high_sum.eq(high),
            self.low_sum.eq(low),
        ]
        return m


def terms_of(kind, generator):
    if kind == "random":
        return [[generator.randint(-127, 127) for _ in range(3)] for _ in range(PACKED_TERMS)]
    return [generator.choice(EXTREME) for _ in range(PACKED_TERMS)]


@pytest.mark.parametrize("kind", ["random", "extreme"])
def test_eight_packed_products_split(kind):
    dut, generator = Splitter(), random.Random(3)

    async def check(ctx):
        cases = [terms_of(kind, generator) for _ in range(40)] + [[t] * 8 for t in EXTREME]
        for terms in cases:
            total = 0
            for high, low, factor in terms:
                for port, value in (("high", high), ("low", low), ("factor", factor)):
                    ctx.set(getattr(dut, port), value)
                product = ctx.get(dut.product)
                assert product == (high * factor << 18) + low * factor
                total += product
            ctx.set(dut.total, total)
            assert ctx.get(dut.high_sum) == sum(high * factor for high, _, factor in terms)
            assert ctx.get(dut.low_sum) == sum(low * factor for _, low, factor in terms)
        await ctx.tick()

    run(dut, check, max_cycles=10)
