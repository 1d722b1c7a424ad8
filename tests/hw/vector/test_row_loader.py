import numpy as np
import pytest
from amaranth.back import rtlil

from tercel.numerics.float32 import multiply
from tercel_hw.vector import RowLoader, VectorConfig
from tercel_sim.testbench import every_cycle, get_all, put_all, run

CONFIG = VectorConfig(nodes=4, columns=64, hidden=64, head_size=32, word_bytes=16)
FLOATS = CONFIG.word_floats


def bits(x):
    return np.ascontiguousarray(x, np.float32).view(np.uint32).tolist()


def random_floats(rng, count):
    x = rng.normal(size=count).astype(np.float32) * np.float32(2) ** rng.integers(-40, 40, count)
    corners = np.array([0.0, -0.0, 2**-126, -(2**-126), 3e38, 1.0], np.float32)
    return np.where(rng.random(count) < 0.3, rng.choice(corners, count), x).astype(np.float32)


class Row:
    """One command, its words and what comes of them."""

    def __init__(self, rng, kind, elements, spare=0):
        lane, index = int(rng.integers(4)), int(rng.integers(FLOATS))
        size = [1, 4, 4, 0][kind] * elements
        words = -(-size // CONFIG.word_bytes) + (spare if kind < 3 else 0)
        data = rng.integers(0, 256, words * CONFIG.word_bytes).astype(np.uint8)
        self.words = []
        if kind == 0:
            scales = random_floats(rng, FLOATS) * np.float32(0.01)
            scales[index] = rng.choice([scales[index], np.float32(2**-126), np.float32(0)])
            self.words = [scales.tobytes()]
            integers = rng.integers(-127, 128, elements).astype(np.int8)
            data[:size] = integers.view(np.uint8)
            values = multiply(integers.astype(np.float32), scales[index])
        elif kind == 3:
            values = np.zeros(elements, np.float32)
        else:
            values = random_floats(rng, elements)
            data[:size] = np.frombuffer(values.tobytes(), np.uint8)
        self.words += [row.tobytes() for row in data.reshape(words, CONFIG.word_bytes)]
        self.words = [int.from_bytes(word, "little") for word in self.words]
        self.command = {
            "kind": kind,
            "lane": lane,
            "elements": elements,
            "words": words,
            "scale_index": index,
        }
        self.table = kind == 2
        half = elements // 2
        self.outputs = [
            (lane, i % half, i // half, value) if self.table else (lane, i, kind == 3, value)
            for i, value in enumerate(bits(values))
        ]


def play(rows, idle=every_cycle, back_pressure=every_cycle):
    dut = RowLoader(CONFIG)
    elements = [output for row in rows if not row.table for output in row.outputs]
    tables = [output for row in rows if row.table for output in row.outputs]

    async def commands(ctx):
        await put_all(ctx, dut.i_command, [row.command for row in rows], idle)

    async def words(ctx):
        await put_all(ctx, dut.i, [word for row in rows for word in row.words], idle)

    async def take_elements(ctx):
        taken = await get_all(ctx, dut.o_element, len(elements), back_pressure)
        return [(p.lane, p.address, p.zero, 0 if p.zero else p.value) for p in taken]

    async def take_tables(ctx):
        taken = await get_all(ctx, dut.o_table, len(tables), back_pressure)
        return [(p.lane, p.index, p.sine, p.value) for p in taken]

    results = run(dut, commands, words, take_elements, take_tables, max_cycles=4000)[2:]
    assert results == [elements, tables]


def test_rows_of_all_kinds(idle, back_pressure):
    rng = np.random.default_rng(1)
    shapes = [(0, 64, 0), (1, 30, 0), (3, 48, 0), (0, 33, 0), (0, 16, 0), (2, 32, 0), (2, 16, 0)]
    # Words beyond the row, partly used words, single elements.
    shapes += [(1, 9, 2), (0, 5, 3), (3, 1, 0), (1, 1, 0), (0, 1, 0), (2, 16, 1), (1, 4, 0)]
    play([Row(rng, *shape) for shape in shapes], idle, back_pressure)


@pytest.mark.parametrize("kind", range(4))
def test_latency_and_one_element_a_cycle(kind):
    dut, row = RowLoader(CONFIG), Row(np.random.default_rng(2), kind, 32)
    port = dut.o_table if kind == 2 else dut.o_element
    before = 1 if kind == 0 else 0
    assert dut.LATENCY == 15
    assert dut.LATENCY == 15

    async def words(ctx):
        await put_all(ctx, dut.i_command, [row.command])
        await put_all(ctx, dut.i, row.words)

    async def sink(ctx):
        ctx.set(port.ready, 1)
        await ctx.tick()
        assert not ctx.get(dut.o_idle)
        await ctx.tick().repeat(before + dut.LATENCY - (kind == 3))
        for output in row.outputs:
            assert ctx.get(port.valid)
            assert ctx.get(port.payload.value) == output[-1] or kind == 3
            assert not ctx.get(dut.o_idle)
            await ctx.tick()
        assert not ctx.get(port.valid)
        assert not ctx.get(dut.o_idle)
        await ctx.tick()
        assert ctx.get(dut.o_idle)

    run(dut, words, sink, max_cycles=200)


def test_a_command_ends_with_its_last_word():
    rng = np.random.default_rng(3)
    dut, rows = RowLoader(CONFIG), [Row(rng, 1, 4, spare=1), Row(rng, 1, 4)]

    async def commands(ctx):
        await put_all(ctx, dut.i_command, [row.command for row in rows])

    async def words(ctx):
        await put_all(ctx, dut.i, rows[0].words[:1])
        await ctx.tick().repeat(40)
        assert not ctx.get(dut.o_idle)
        await put_all(ctx, dut.i, rows[0].words[1:] + rows[1].words)

    async def sink(ctx):
        return [p.value for p in await get_all(ctx, dut.o_element, 8)]

    values = run(dut, commands, words, sink, max_cycles=200)[2]
    assert values == [output[-1] for row in rows for output in row.outputs]


def test_it_is_not_idle_while_a_command_is_offered():
    dut = RowLoader(CONFIG)

    async def bench(ctx):
        assert ctx.get(dut.o_idle)
        ctx.set(dut.i_command.valid, 1)
        assert not ctx.get(dut.o_idle)

    run(dut, bench, max_cycles=10)


@pytest.mark.parametrize("nodes", [1, 2])
def test_it_converts(nodes):
    assert "module" in rtlil.convert(RowLoader(VectorConfig(nodes=nodes)))
