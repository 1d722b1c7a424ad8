# amaranth: UnusedElaboratable=no

import pytest
from amaranth.hdl import unsigned

from tercel_hw.shallow_fifo import ShallowFifo
from tercel_sim.testbench import get_all, put_all, run


@pytest.mark.parametrize("depth", [1, 2, 3, 8])
def test_values_leave_in_order(depth, idle, back_pressure):
    fifo, values = ShallowFifo(unsigned(8), depth=depth), list(range(100))

    async def source(ctx):
        await put_all(ctx, fifo.i, values, idle)

    async def sink(ctx):
        return await get_all(ctx, fifo.o, len(values), back_pressure)

    assert run(fifo, source, sink, max_cycles=2000)[1] == values


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_latency_and_one_value_a_cycle_from_two_on(depth):
    fifo = ShallowFifo(unsigned(8), depth=depth)

    async def bench(ctx):
        ctx.set(fifo.i.valid, 1)
        ctx.set(fifo.o.ready, 1)
        for cycle in range(20):
            taken = depth > 1 or cycle % 2 == 0
            assert ctx.get(fifo.i.ready) == taken
            assert ctx.get(fifo.o.valid) == (cycle > 0 if depth > 1 else cycle % 2)
            await ctx.tick()

    run(fifo, bench, max_cycles=30)


@pytest.mark.parametrize("depth", [1, 4])
def test_it_holds_its_depth(depth):
    fifo = ShallowFifo(unsigned(8), depth=depth)

    async def bench(ctx):
        ctx.set(fifo.i.valid, 1)
        for cycle in range(depth + 3):
            assert ctx.get(fifo.level) == min(cycle, depth)
            assert ctx.get(fifo.i.ready) == (cycle < depth)
            await ctx.tick()

    run(fifo, bench, max_cycles=20)


def test_no_room():
    with pytest.raises(ValueError, match=r"^depth must be an integer in 1\.\.256, not 0$"):
        ShallowFifo(unsigned(8), depth=0)
