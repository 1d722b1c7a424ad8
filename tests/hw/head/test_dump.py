import numpy as np
from amaranth.back import rtlil

from tercel_hw.head import Dump
from tercel_hw.vector import VectorConfig
from tercel_sim.testbench import get_all, put_all, run

CONFIG = VectorConfig(nodes=2, columns=64, hidden=64)
WIDTHS = [(3, 16), (1 << 31, 1), (500, 20)]
"""Address and width of each row."""


def rows():
    rng = np.random.default_rng(1)
    for _, width in WIDTHS:
        values = rng.integers(0, 1 << 32, (width, 2)).tolist()
        yield [{"values": v, "last": at == width - 1} for at, v in enumerate(values)]


def test_rows_become_runs_of_lines(idle, back_pressure):
    dut = Dump(CONFIG)
    elements = [element for row in rows() for element in row]

    async def control(ctx):
        commands = [{"address": address, "width": width} for address, width in WIDTHS]
        await put_all(ctx, dut.i_command, commands, idle)

    async def source(ctx):
        await put_all(ctx, dut.i, elements, idle)

    async def sink(ctx):
        runs, lines = [], []
        for _ in WIDTHS:
            (head,) = await get_all(ctx, dut.o_run, 1, back_pressure)
            runs.append((head.address, head.lines))
            lines += await get_all(ctx, dut.o_line, head.lines, back_pressure)
        return runs, [list(line) for line in lines]

    runs, lines = run(dut, control, source, sink, max_cycles=600)[2]
    assert runs == WIDTHS
    assert lines == [element["values"] for element in elements]


def test_a_line_a_cycle_without_latency():
    dut = Dump(CONFIG)

    async def bench(ctx):
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.o_run.ready, 1)
        ctx.set(dut.o_line.ready, 1)
        await put_all(ctx, dut.i_command, [{"address": 9, "width": 16}])
        assert ctx.get(dut.o_run.valid)
        assert not ctx.get(dut.o_line.valid)
        assert not ctx.get(dut.i.ready)
        await ctx.tick()
        for element in next(rows()):
            ctx.set(dut.i.payload, element)
            assert ctx.get(dut.i.ready)
            assert ctx.get(dut.o_line.valid)
            assert list(ctx.get(dut.o_line.payload)) == element["values"]
            await ctx.tick()
        assert ctx.get(dut.i_command.ready)
        assert not ctx.get(dut.i.ready)

    run(dut, bench, max_cycles=100)


def test_the_kv260_shape_converts():
    assert "module" in rtlil.convert(Dump(VectorConfig()))
