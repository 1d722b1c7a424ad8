# amaranth: UnusedElaboratable=no

import random

import pytest

from tercel_hw.credits import Credits
from tercel_sim.testbench import run


@pytest.mark.parametrize("count", [1, 2, 5])
def test_there_is_a_credit_while_less_were_spent_than_given(count):
    dut = Credits(count=count)
    choose = random.Random(count)

    async def bench(ctx):
        left = count
        for _ in range(200):
            assert ctx.get(dut.any) == (left > 0)
            spend = left > 0 and choose.random() < 0.6
            give = left < count and choose.random() < 0.5
            ctx.set(dut.spend, spend)
            ctx.set(dut.give, give)
            left += give - spend
            await ctx.tick()

    run(dut, bench, max_cycles=300)


def test_no_credits():
    with pytest.raises(ValueError, match=r"^count must be an integer in 1\.\.1048576, not 0$"):
        Credits(count=0)
