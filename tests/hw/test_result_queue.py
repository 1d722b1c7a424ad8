import pytest
from amaranth.hdl import Const, Module
from amaranth.lib import data, stream, wiring

from tercel_hw.float32 import Stages
from tercel_hw.result_queue import ResultQueue
from tercel_sim.testbench import get_all, put_all, run

SHAPE = data.StructLayout({"value": 8})


class Delay(wiring.Component):
    """A pipeline that only waits, with its queue."""

    i: wiring.In(stream.Signature(SHAPE))
    o: wiring.Out(stream.Signature(SHAPE))

    def __init__(self, latency, depth):
        super().__init__()
        self.latency, self.depth = latency, depth

    def elaborate(self, platform):
        m = Module()
        m.submodules.queue = queue = ResultQueue(SHAPE, depth=self.depth)
        stages = Stages(m, Const(1))
        wiring.connect(m, queue.o, wiring.flipped(self.o))
        m.d.comb += [
            self.i.ready.eq(queue.room),
            queue.enters.eq(self.i.valid & queue.room),
            queue.arrives.eq(stages.delay(queue.enters, self.latency, "valid", reset=True)),
            queue.result.eq(stages.delay(self.i.payload, self.latency, "value")),
        ]
        return m


@pytest.mark.parametrize(("latency", "depth"), [(1, 1), (1, 3), (3, 5), (6, 4), (14, 16)])
def test_nothing_is_lost_or_doubled(latency, depth, idle, back_pressure):
    dut, values = Delay(latency, depth), list(range(100))

    async def source(ctx):
        await put_all(ctx, dut.i, [{"value": value} for value in values], idle)

    async def sink(ctx):
        return [p.value for p in await get_all(ctx, dut.o, len(values), back_pressure)]

    assert run(dut, source, sink, max_cycles=3000)[1] == values


@pytest.mark.parametrize(("short", "waits"), [(0, False), (1, True)])
def test_one_a_cycle_from_latency_and_two_on(short, waits):
    latency = 5
    dut = Delay(latency, latency + ResultQueue.LATENCY + 1 - short)

    async def bench(ctx):
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.o.ready, 1)
        seen = []
        for cycle in range(30):
            seen.append(ctx.get(dut.i.ready))
            assert ctx.get(dut.o.valid) == (cycle >= latency + 1) or waits
            await ctx.tick()
        assert all(seen) != waits

    run(dut, bench, max_cycles=100)


def test_it_takes_what_it_has_room_for_while_nobody_takes():
    dut = Delay(3, 4)

    async def bench(ctx):
        ctx.set(dut.i.valid, 1)
        taken = 0
        for _ in range(20):
            taken += ctx.get(dut.i.ready)
            await ctx.tick()
        assert taken == 4

    run(dut, bench, max_cycles=100)
