import numpy as np
from amaranth.back import rtlil

from tercel_hw.head import HeadConfig, RunMerge
from tercel_sim.testbench import get_all, put_all, run

CONFIG = HeadConfig(nodes=2, rows=64)
COUNTS = [(3, 1, 5, 2), (4, 1, 1, 6)]
"""Lines of each run of both sources."""


def test_runs_and_their_lines_stay_together(idle, back_pressure):
    dut = RunMerge(CONFIG)
    rng = np.random.default_rng(3)
    runs = [
        [
            (1000 * source + index, rng.integers(0, 1 << 32, (count, 2)).tolist())
            for index, count in enumerate(counts)
        ]
        for source, counts in enumerate(COUNTS)
    ]

    def heads(source):
        async def testbench(ctx):
            payloads = [{"address": a, "lines": len(lines)} for a, lines in runs[source]]
            await put_all(ctx, dut.i_run[source], payloads, idle)

        return testbench

    def lines(source):
        async def testbench(ctx):
            flat = [line for _, part in runs[source] for line in part]
            await put_all(ctx, dut.i_line[source], flat, idle)

        return testbench

    async def sink(ctx):
        taken = []
        for _ in range(sum(len(counts) for counts in COUNTS)):
            (head,) = await get_all(ctx, dut.o_run, 1, back_pressure)
            part = await get_all(ctx, dut.o_line, head.lines, back_pressure)
            taken.append((head.address, [list(line) for line in part]))
        return taken

    taken = run(dut, sink, heads(0), lines(0), heads(1), lines(1), max_cycles=600)[0]
    for source, expected in enumerate(runs):
        assert [part for part in taken if part[0] // 1000 == source] == expected


def test_the_lower_source_first_and_a_line_a_cycle():
    dut = RunMerge(CONFIG)

    async def bench(ctx):
        ctx.set(dut.o_run.ready, 1)
        ctx.set(dut.o_line.ready, 1)
        for source in 0, 1:
            ctx.set(dut.i_run[source].payload, {"address": source, "lines": 3})
            ctx.set(dut.i_run[source].valid, 1)
            ctx.set(dut.i_line[source].valid, 1)
            ctx.set(dut.i_line[source].payload, [source, 7])
        for source in 0, 1:
            taken = [ctx.get(run.valid & run.ready) for run in dut.i_run]
            assert taken == [source == 0, source == 1]
            await ctx.tick()
            ctx.set(dut.i_run[source].valid, 0)
            assert ctx.get(dut.o_run.valid)
            assert ctx.get(dut.o_run.payload).address == source
            for _ in range(3):
                assert [ctx.get(line.ready) for line in dut.i_line] == [source == 0, source == 1]
                assert list(ctx.get(dut.o_line.payload)) == [source, 7]
                await ctx.tick()

    run(dut, bench, max_cycles=100)


def test_a_run_waits_for_the_one_before():
    dut = RunMerge(CONFIG)

    async def bench(ctx):
        ctx.set(dut.o_line.ready, 1)
        await put_all(ctx, dut.i_run[1], [{"address": 5, "lines": 1}])
        await put_all(ctx, dut.i_line[1], [[1, 2]])
        ctx.set(dut.i_run[0].valid, 1)
        for _ in range(4):
            assert not ctx.get(dut.i_run[0].ready)
            assert ctx.get(dut.o_run.payload).address == 5
            await ctx.tick()
        ctx.set(dut.o_run.ready, 1)
        await ctx.tick()
        assert ctx.get(dut.i_run[0].ready)

    run(dut, bench, max_cycles=100)


def test_the_kv260_shape_converts():
    assert "module" in rtlil.convert(RunMerge(HeadConfig()))
