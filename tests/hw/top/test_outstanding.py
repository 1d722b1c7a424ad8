import pytest

from tercel_hw.top.outstanding import Outstanding
from tercel_sim.testbench import run


@pytest.mark.parametrize("most", [3, 1023])
def test_some_are_outstanding_from_the_cycle_after_until_all_are_done(most):
    dut = Outstanding(most=most)
    # For each cycle: the items issued and done, and the expected ``any``.
    cycles = [
        (0, 0, 0),
        (1, 0, 0),
        (0, 0, 1),
        (0, 1, 1),
        (0, 0, 0),
        (2, 0, 0),
        (1, 1, 1),
        (0, 1, 1),
    ]
    cycles += [
        (0, 1, 1),
        (0, 0, 0),
        (3, 0, 0),
        (0, 1, 1),
        (0, 1, 1),
        (0, 0, 1),
        (0, 1, 1),
        (0, 0, 0),
    ]

    async def bench(ctx):
        for number, (issued, done, some) in enumerate(cycles):
            ctx.set(dut.issued, issued)
            ctx.set(dut.done, done)
            assert ctx.get(dut.any) == some, number
            await ctx.tick()

    run(dut, bench, max_cycles=50)
