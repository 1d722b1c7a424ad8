import pytest
from amaranth.hdl import Module, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from tercel_hw.memory import (
    Axi4Signature,
    AxiConfig,
    BurstConfig,
    CommandMerge,
    FifoConfig,
    PrefetchConfig,
    ReaderConfig,
    RoutedConfig,
    RoutedReader,
    StreamFifo,
    StripedConfig,
    TapePrefetcher,
    bursts,
)
from tercel_sim.testbench import get_all, put_all, run

BURST = BurstConfig(axi=AxiConfig(data_width=32), max_beats=16, count_width=12)
CONFIG = PrefetchConfig(burst=BURST, buffer_words=64)
STRIPED = StripedConfig(reader=ReaderConfig(burst=BURST, buffer_beats=48), ports=1)
ROUTED = RoutedConfig(striped=STRIPED, destinations=2)


def steps(runs):
    return [(at // 4, count) for run in runs for at, count in bursts(BURST, *run)]


def test_steps_are_the_bursts(idle, back_pressure):
    ample = PrefetchConfig(burst=BURST, buffer_words=4096)
    prefetcher, runs = TapePrefetcher(config=ample), [(5, 100), (30, 0), (300, 33)]
    wanted = steps(runs)

    async def source(ctx):
        values = [{"address": address, "beats": beats} for address, beats in runs]
        await put_all(ctx, prefetcher.i_command, values, idle)

    async def sink(ctx):
        taken = await get_all(ctx, prefetcher.o_command, len(wanted), back_pressure)
        return [(step.address, step.beats) for step in taken]

    assert run(prefetcher, source, sink, max_cycles=500)[1] == wanted


def test_no_more_than_the_buffer_takes():
    """After 8 and three times 16 words there is room for 15: one too few."""
    prefetcher = TapePrefetcher(config=PrefetchConfig(burst=BURST, buffer_words=71))

    async def bench(ctx):
        asked = 0
        ctx.set(prefetcher.o_command.ready, 1)
        ctx.set(prefetcher.i_command.payload, {"address": 8, "beats": 500})
        ctx.set(prefetcher.i_command.valid, 1)
        await ctx.tick()
        ctx.set(prefetcher.i_command.valid, 0)
        for cycle in range(200):
            ctx.set(prefetcher.left, cycle >= 50)
            *_, valid, beats = await ctx.tick().sample(
                prefetcher.o_command.valid, prefetcher.o_command.payload.beats
            )
            if cycle == prefetcher.LATENCY - 1:
                assert valid
            asked += beats if valid else 0
            assert asked <= 71 + max(0, cycle - 50)
            if cycle == 49:
                assert asked == 8 + 3 * 16
        assert asked > 180

    run(prefetcher, bench, max_cycles=300)


class SharedPorts(wiring.Component):
    """The KV cache, destination 0, and the tape, destination 1, on the same port."""

    def __init__(self):
        self.merge, self.reader = CommandMerge(config=ROUTED), RoutedReader(config=ROUTED)
        self.prefetcher = TapePrefetcher(config=CONFIG)
        self.buffer = StreamFifo(config=FifoConfig(width=32, depth=64, read_latency=2))
        runs, words = stream.Signature(BURST.command), stream.Signature(unsigned(32))
        super().__init__(
            {
                "axi": Out(Axi4Signature(BURST.axi, write=False)),
                "i_kv": In(runs),
                "i_tape": In(runs),
                "o_kv": Out(words),
                "o_tape": Out(words),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.merge, m.submodules.reader = self.merge, self.reader
        m.submodules.prefetcher, m.submodules.buffer = self.prefetcher, self.buffer
        connect(m, self.reader.axi[0], flipped(self.axi))
        connect(m, flipped(self.i_kv), self.merge.i[0])
        connect(m, flipped(self.i_tape), self.prefetcher.i_command)
        connect(m, self.prefetcher.o_command, self.merge.i[1])
        connect(m, self.merge.o, self.reader.i_command)
        connect(m, self.reader.o[0], flipped(self.o_kv))
        connect(m, self.reader.o[1], self.buffer.i)
        connect(m, self.buffer.o, flipped(self.o_tape))
        m.d.comb += self.prefetcher.left.eq(self.o_tape.valid & self.o_tape.ready)
        return m


def test_the_cache_is_read_while_the_tape_waits(read_memory, simulate):
    shared, beats = SharedPorts(), list(range(1000, 2024))
    memory = read_memory(shared.axi, beats, latency=10)

    async def tape(ctx):
        await put_all(ctx, shared.i_tape, [{"address": 0, "beats": 300}])

    async def bench(ctx):
        await ctx.tick().repeat(120)
        for start in (400, 500, 600):
            await put_all(ctx, shared.i_kv, [{"address": start, "beats": 70}])
            assert await get_all(ctx, shared.o_kv, 70) == beats[start : start + 70]
        before = len(memory.arrivals)
        assert before == 64 + 3 * 70
        assert await get_all(ctx, shared.o_tape, 300) == beats[:300]

    simulate(shared, tape, bench, memories=[memory], max_cycles=2000)


def test_a_broken_field_is_named():
    with pytest.raises(ValueError, match=r"buffer_words must be an integer in 256\.\..*, not 255"):
        PrefetchConfig(buffer_words=255)
