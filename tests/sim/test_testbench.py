import pytest
from amaranth.hdl import Module, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered

from tercel_sim.testbench import HangError, every_cycle, get_all, put_all, random_gaps, run


class Queue(wiring.Component):
    """A FIFO with stream ports."""

    def __init__(self):
        signature = stream.Signature(unsigned(8))
        super().__init__({"i": wiring.In(signature), "o": wiring.Out(signature)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.fifo = fifo = SyncFIFOBuffered(width=8, depth=4)
        wiring.connect(m, fifo.w_stream, wiring.flipped(self.i))
        wiring.connect(m, fifo.r_stream, wiring.flipped(self.o))
        return m


PATTERNS = [every_cycle, random_gaps(1), random_gaps(2, 0.1)]


@pytest.mark.parametrize("idle", PATTERNS)
@pytest.mark.parametrize("back_pressure", PATTERNS)
def test_values_pass_in_order(idle, back_pressure):
    queue, values = Queue(), list(range(50))

    async def source(ctx):
        await put_all(ctx, queue.i, values, idle)

    async def sink(ctx):
        return await get_all(ctx, queue.o, len(values), back_pressure)

    assert run(queue, source, sink, max_cycles=2000)[1] == values


def test_a_hang_names_who_waits():
    queue = Queue()

    async def source(ctx):
        await put_all(ctx, queue.i, [1])

    async def sink(ctx):
        await get_all(ctx, queue.o, 2)

    with pytest.raises(HangError, match="after 100 cycles these still wait: sink"):
        run(queue, source, sink, max_cycles=100)


def test_patterns_repeat_with_their_seed():
    first, second = random_gaps(5), random_gaps(5)
    assert [first() for _ in range(50)] == [second() for _ in range(50)]
