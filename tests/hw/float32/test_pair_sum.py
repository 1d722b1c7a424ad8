import numpy as np

from tercel import numerics
from tercel_hw.float32.pair_sum import PairSum
from tercel_sim.testbench import run


def feed(dut, terms):
    """Offer a term a cycle, absent ones as None; return (cycle, value bits, last) of the sums."""

    async def bench(ctx):
        ctx.set(dut.enable, 1)
        sums = []
        for cycle in range(len(terms) + dut.LATENCY):
            term = terms[cycle] if cycle < len(terms) else None
            if term is None:
                ctx.set(dut.i, {"value": 0x3F800000, "present": 0, "last": 1})
            else:
                value = int(np.float32(term[0]).view(np.uint32))
                ctx.set(dut.i, {"value": value, "present": 1, "last": term[1]})
            if ctx.get(dut.o.present):
                sums.append((cycle, ctx.get(dut.o.value), ctx.get(dut.o.last)))
            await ctx.tick()
        return sums

    return run(dut, bench, max_cycles=200)[0]


def test_pairs_and_a_last_one_alone():
    """Gaps within a pair; a last term without partner; the next tree begins with a first."""
    dut = PairSum()
    terms = [(1.5, 0), (2.5, 0), (3.0, 0), None, (4.0, 0), (5.0, 1), (6.0, 0), (7.0, 1), (8.0, 1)]
    expected = [(1, 4.0, 0), (4, 7.0, 0), (5, 5.0, 1), (7, 13.0, 1), (8, 8.0, 1)]
    assert feed(dut, terms) == [
        (cycle + dut.LATENCY, int(np.float32(value).view(np.uint32)), last)
        for cycle, value, last in expected
    ]


def test_sums_are_golden(floats):
    x = abs(floats.random(1, 100))
    sums = feed(PairSum(), [(value, 0) for value in x])
    assert [value for _, value, _ in sums] == numerics.add(x[0::2], x[1::2]).view(
        np.uint32
    ).tolist()
