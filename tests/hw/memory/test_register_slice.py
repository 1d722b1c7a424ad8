"""A register slice keeps a stream, at full rate, whatever its neighbours do."""

from amaranth.hdl import unsigned

from tercel_hw.memory.register_slice import RegisterSlice
from tercel_sim.testbench import get_all, put_all, run


def test_values_come_in_order(idle, back_pressure):
    held, values = RegisterSlice(unsigned(8)), list(range(60))

    async def source(ctx):
        await put_all(ctx, held.i, values, idle)

    async def sink(ctx):
        return await get_all(ctx, held.o, len(values), back_pressure)

    assert run(held, source, sink, max_cycles=600)[1] == values


def test_it_passes_a_value_every_cycle_and_holds_two():
    held = RegisterSlice(unsigned(8))

    async def bench(ctx):
        ctx.set(held.o.ready, 1)
        ctx.set(held.i.valid, 1)
        for cycle in range(10):
            ctx.set(held.i.payload, cycle)
            assert ctx.get(held.i.ready)
            await ctx.tick()
            assert ctx.get(held.o.payload) == cycle + 1 - RegisterSlice.LATENCY
            assert ctx.get(held.o.valid)
        ctx.set(held.o.ready, 0)
        await ctx.tick()
        assert not ctx.get(held.i.ready)
        # No path leads through: the source learns of it a cycle later.
        ctx.set(held.o.ready, 1)
        assert not ctx.get(held.i.ready)
        await ctx.tick()
        assert ctx.get(held.i.ready)

    run(held, bench, max_cycles=30)
