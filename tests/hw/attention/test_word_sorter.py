from tercel_hw.attention import WordSorter
from tercel_sim.testbench import get_all, put_all, run

RUNS = [(3, True), (1, False), (1, True), (5, False), (2, False), (4, True)]


def split(words):
    """Words of scales, words of rows."""
    parts = ([], [])
    place = 0
    for count, scales in RUNS:
        parts[not scales].extend(words[place : place + count])
        place += count
    return parts


def kinds():
    return [{"words": words, "scales": scales} for words, scales in RUNS]


def test_words_go_where_they_belong(idle, back_pressure, unit_shape_of):
    dut = WordSorter(unit_shape_of())
    words = [index * 0x1111 << 96 | index for index in range(16)]
    scales, rows = split(words)

    async def source(ctx):
        await put_all(ctx, dut.i, words, idle)

    async def runs(ctx):
        await put_all(ctx, dut.i_kind, kinds(), idle)

    async def take_scales(ctx):
        return await get_all(ctx, dut.o_scales, len(scales), back_pressure)

    async def take_rows(ctx):
        return await get_all(ctx, dut.o_rows, len(rows), back_pressure)

    *_, taken, beats = run(dut, source, runs, take_scales, take_rows, max_cycles=400)
    assert taken == scales
    joined = [bytes(byte & 255 for byte in beat) for beat in beats]
    assert [int.from_bytes(beat, "little") for beat in joined] == rows


def test_a_word_a_cycle(unit_shape_of):
    dut = WordSorter(unit_shape_of())

    async def runs(ctx):
        await put_all(ctx, dut.i_kind, kinds())

    async def bench(ctx):
        await ctx.tick()
        for port in dut.o_scales, dut.o_rows:
            ctx.set(port.ready, 1)
        ctx.set(dut.i.valid, 1)
        for count, scales in RUNS:
            for _ in range(count):
                assert ctx.get(dut.i.ready)
                assert ctx.get(dut.o_scales.valid) == scales
                assert ctx.get(dut.o_rows.valid) != scales
                await ctx.tick()
        assert not ctx.get(dut.i.ready)

    run(dut, runs, bench, max_cycles=100)
