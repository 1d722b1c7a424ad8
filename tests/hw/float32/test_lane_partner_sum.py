# amaranth: UnusedElaboratable=no

import re

import numpy as np
import pytest

from tercel_hw.float32 import LanePartnerSum
from tercel_sim.testbench import run


def sums_of(lanes, bits, count, order):
    """Indices and values that leave, of terms ``2**index * (lane + 1)`` that come in this order."""
    dut, found = LanePartnerSum(lanes=lanes, bits=bits), []

    async def tick(ctx):
        if ctx.get(dut.o.present):
            value = np.uint32(ctx.get(dut.o.value)).view(np.float32)
            found.append((ctx.get(dut.o.tag), float(value)))
        await ctx.tick()

    async def bench(ctx):
        ctx.set(dut.count, count)
        for index in order:
            for lane in range(lanes):
                value = np.float32(2**index * (lane + 1)).view(np.uint32)
                ctx.set(dut.i, {"value": int(value), "present": 1, "tag": index})
                await tick(ctx)
            ctx.set(dut.i.present, 0)
            await tick(ctx)
        for _ in range(LanePartnerSum.LATENCY):
            await tick(ctx)

    run(dut, bench, max_cycles=400)
    return found


def test_partners_meet_in_either_order_and_terms_without_one_pass():
    # Of 11 terms 3..7 have no partner among 8..15; those of two rows are not mixed.
    order = list(range(11)) * 2
    expected = [
        *((i, 2.0**i) for i in range(3, 8)),
        *((i - 8, 2.0**i + 2 ** (i - 8)) for i in (8, 9, 10)),
    ]
    found = sums_of(1, (3, 0, 1, 2), 11, order)
    assert found == expected * 2
    # As they leave there: 3..7, then 0..2. Indices are even behind this level.
    found = sums_of(2, (0, 1, 2), 11, [3, 4, 5, 6, 7, 0, 1, 2])
    pairs = [(4, 48.0), (6, 192.0), (0, 3.0), (2, 12.0)]
    assert found == [(i, lane * value) for i, value in pairs for lane in (1, 2)]


@pytest.mark.parametrize("bits", [(), (0, 0), (4,), (-1, 0)])
def test_the_constructor_checks_the_bits(bits):
    message = f"bits must be different ones in 0..3, not {bits!r}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        LanePartnerSum(lanes=1, bits=bits)


@pytest.mark.parametrize("lanes", [0, 17])
def test_the_constructor_checks_the_lanes(lanes):
    with pytest.raises(ValueError, match=rf"^lanes must be an integer in 1..16, not {lanes}$"):
        LanePartnerSum(lanes=lanes, bits=(0,))
