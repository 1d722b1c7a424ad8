import random

import pytest

from tercel_hw.registers import Counter, CounterConfig
from tercel_sim.testbench import run


@pytest.mark.parametrize(("step_width", "half_width"), [(1, 1), (2, 3), (4, 4), (3, 6)])
def test_every_value_is_the_sum(step_width, half_width):
    config = CounterConfig(step_width=step_width, half_width=half_width)
    counter, generator = Counter(config=config), random.Random(1)

    async def bench(ctx):
        total = 0
        for _ in range(400):
            step, clear = generator.randrange(1 << step_width), generator.random() < 0.01
            ctx.set(counter.step, step)
            ctx.set(counter.clear, clear)
            await ctx.tick()
            total = 0 if clear else (total + step) % (1 << 2 * half_width)
            assert ctx.get(counter.value) == total

    run(counter, bench, max_cycles=500)


def test_broken_widths_are_named():
    with pytest.raises(ValueError, match=r"half_width must be an integer in 1\.\.64, not 65"):
        CounterConfig(half_width=65)
    with pytest.raises(ValueError, match=r"step_width must be an integer in 1\.\.8, not 9"):
        CounterConfig(step_width=9, half_width=8)
