import pytest
from amaranth.back import rtlil

from tercel_hw.head import HeadConfig, RowLimit
from tercel_sim.testbench import get_all, put_all, run

CONFIG = HeadConfig(nodes=2, rows=64)
WALKS = [(16, 13), (4, 4), (1, 1), (32, 1)]


def test_rows_beyond_the_limit_are_dropped(idle, back_pressure):
    dut = RowLimit(CONFIG)
    rows = [[walk, row] for walk, (count, _) in enumerate(WALKS) for row in range(count)]
    expected = [
        ([walk, row], row, row == limit - 1)
        for walk, (_, limit) in enumerate(WALKS)
        for row in range(limit)
    ]

    async def commands(ctx):
        await put_all(ctx, dut.i_command, [{"rows": r, "limit": limit} for r, limit in WALKS])

    async def source(ctx):
        await put_all(ctx, dut.i, rows, idle)

    async def sink(ctx):
        taken = await get_all(ctx, dut.o, len(expected), back_pressure)
        return [(list(p["values"]), p.row, bool(p.last)) for p in taken]

    assert run(dut, commands, source, sink, max_cycles=600)[2] == expected


@pytest.mark.parametrize("limit", [9, 16])
def test_one_row_a_cycle_without_latency(limit):
    dut = RowLimit(CONFIG)

    async def bench(ctx):
        await put_all(ctx, dut.i_command, [{"rows": 16, "limit": limit}])
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.o.ready, 1)
        for row in range(16):
            assert ctx.get(dut.i.ready)
            assert ctx.get(dut.o.valid) == (row < limit)
            await ctx.tick()
        assert ctx.get(dut.i_command.ready)

    run(dut, bench, max_cycles=50)


def test_the_kv260_shape_converts():
    assert "module" in rtlil.convert(RowLimit(HeadConfig()))
