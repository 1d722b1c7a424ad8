import itertools
import random

import pytest
from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from tercel_hw.memory import (
    Axi4Signature,
    AxiConfig,
    BurstConfig,
    StripedWriter,
    StripedWriterConfig,
    WriteMerge,
    WriterConfig,
)
from tercel_sim.testbench import every_cycle, get_all, put_all, random_gaps, run

WRITER = WriterConfig(
    burst=BurstConfig(axi=AxiConfig(data_width=32), max_beats=16, count_width=12),
    outstanding=4,
    buffer_beats=32,
    strobes=True,
)
CONFIG = StripedWriterConfig(writer=WRITER, ports=2)
RUNS = [[(0, 5), (100, 1), (40, 0), (31, 17)], [(200, 2), (300, 1), (417, 30), (250, 0), (60, 4)]]


def commands(runs):
    return [{"granule": start, "granules": count} for start, count in runs]


def granules(asker, runs):
    """Granules that tell whose they are."""
    generator = random.Random(asker)
    total = sum(count for _, count in runs)
    return [{"data": generator.getrandbits(31) << 1 | asker, "strobe": 15} for _ in range(total)]


def sources(merge, runs, idle):
    benches = []
    for asker in range(WriteMerge.ASKERS):

        async def offer_runs(ctx, asker=asker):
            await put_all(ctx, merge.i_command[asker], commands(runs[asker]), idle)

        async def offer_granules(ctx, asker=asker):
            await put_all(ctx, merge.i[asker], granules(asker, runs[asker]), idle)

        benches += [offer_runs, offer_granules]
    return benches


def test_runs_are_never_mixed(idle, back_pressure):
    merge = WriteMerge(config=CONFIG)
    total = sum(count for runs in RUNS for _, count in runs)

    async def take_runs(ctx):
        return await get_all(ctx, merge.o_command, sum(map(len, RUNS)), back_pressure)

    async def take_granules(ctx):
        taken = await get_all(ctx, merge.o, total, back_pressure)
        await ctx.tick().repeat(4)
        return taken

    benches = [*sources(merge, RUNS, idle), take_runs, take_granules]
    *_, runs, data = run(merge, *benches, max_cycles=2000)
    taken = [(run.granule, run.granules) for run in runs]
    for one in RUNS:
        assert [run for run in taken if run in one] == one
    mine = [iter(granules(asker, RUNS[asker])) for asker in range(2)]
    wanted = []
    for one in taken:
        owner = mine[one in RUNS[1]]
        wanted += [next(owner)["data"] for _ in range(one[1])]
    assert [granule.data for granule in data] == wanted


def test_the_lower_asker_first():
    merge = WriteMerge(config=CONFIG)
    runs = [[(index, 1) for index in range(4)], [(9 + index, 1) for index in range(3)]]

    async def take(ctx):
        ctx.set(merge.o.ready, 1)
        return [run.granule for run in await get_all(ctx, merge.o_command, 7)]

    assert run(merge, *sources(merge, runs, every_cycle), take, max_cycles=100)[-1] == [
        *range(4),
        9,
        10,
        11,
    ]


def test_busy_until_the_last_granule_has_passed():
    merge = WriteMerge(config=CONFIG)

    async def bench(ctx):
        ctx.set(merge.o_command.ready, 1)
        await put_all(ctx, merge.i_command[1], commands([(3, 2)]))
        assert ctx.get(merge.o_command.valid)
        await ctx.tick().repeat(3)
        for granule in granules(1, [(3, 2)]):
            assert ctx.get(merge.busy)
            ctx.set(merge.o.ready, 1)
            await put_all(ctx, merge.i[1], [granule])
        assert not ctx.get(merge.busy)

    run(merge, bench, max_cycles=50)


class Shared(wiring.Component):
    """A merge in front of a striped writer."""

    def __init__(self):
        self.merge, self.writer = WriteMerge(config=CONFIG), StripedWriter(config=CONFIG)
        runs, data = stream.Signature(CONFIG.command), stream.Signature(CONFIG.granule)
        super().__init__(
            {
                "i_command": In(runs).array(2),
                "i": In(data).array(2),
                "axi": Out(Axi4Signature(WRITER.burst.axi, read=False)).array(2),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.merge, m.submodules.writer = self.merge, self.writer
        for asker in range(2):
            connect(m, flipped(self.i_command[asker]), self.merge.i_command[asker])
            connect(m, flipped(self.i[asker]), self.merge.i[asker])
            connect(m, self.writer.axi[asker], flipped(self.axi[asker]))
        connect(m, self.merge.o_command, self.writer.i_command)
        connect(m, self.merge.o, self.writer.i)
        return m


@pytest.mark.parametrize("take", [None, random_gaps(7, 0.3)], ids=["free", "pressed"])
def test_both_askers_write(write_memory, simulate, idle, take):
    shared, gap = Shared(), WriteMerge.GAP
    served = [write_memory(axi, take=take or every_cycle) for axi in shared.axi]
    passed, cycle = [], [0]
    total = sum(count for runs in RUNS for _, count in runs)

    async def watch(ctx):
        writer = shared.writer
        while len(passed) < total or ctx.get(writer.busy) or ctx.get(shared.merge.busy):
            valid, ready = (await ctx.tick().sample(writer.i.valid, writer.i.ready))[-2:]
            cycle[0] += 1
            if valid and ready:
                passed.append(cycle[0])

    benches = sources(shared, RUNS, idle)
    simulate(shared, *benches, watch, memories=served, max_cycles=2000)
    for asker, runs in enumerate(RUNS):
        places = [start + index for start, count in runs for index in range(count)]
        for place, granule in zip(places, granules(asker, runs), strict=True):
            assert served[place % 2].written[place // 2] == granule["data"]
    if idle is every_cycle and take is None:
        steps = sum(after - before - 1 for before, after in itertools.pairwise(passed))
        lengths = [count for runs in RUNS for _, count in runs]
        # A run of no granules takes two cycles: the merge's and the writer's.
        assert steps == gap * (len(lengths) - lengths.count(0) - 1) + 2 * lengths.count(0)
