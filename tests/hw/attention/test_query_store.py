import numpy as np
import pytest

from tercel.numerics.float32 import multiply
from tercel_hw.attention import QueryStore
from tercel_sim.testbench import every_cycle, get_all, put_all, run


class Bench:
    """A store that copies queries ``[heads, head size, lanes]`` in groups of ``turns``."""

    def __init__(self, config, rng, *, heads, size, turns, idle=every_cycle):
        self.dut, self.turns, self.idle = QueryStore(config), turns, idle
        self.lanes, self.macs = config.attention.nodes, config.word_bytes
        self.values = rng.integers(-127, 128, (heads, size, self.lanes))
        self.scales = rng.random((heads, self.lanes)).astype(np.float32)
        self.factor = np.float32(0.3)

    async def columns(self, ctx):
        size = self.values.shape[1]
        payloads = (
            {"values": column.tolist(), "last": index % size == size - 1}
            for index, column in enumerate(self.values.reshape(-1, self.lanes))
        )
        await put_all(ctx, self.dut.i, payloads, self.idle)

    async def floats(self, ctx):
        scales = self.scales.view(np.uint32).tolist()
        await put_all(ctx, self.dut.i_scales, scales, self.idle)

    async def copy(self, ctx):
        """The cycles of a copy."""
        command = {
            "turns": self.turns,
            "elements": self.values.shape[1],
            "factor": int(self.factor.view(np.uint32)),
        }
        ctx.set(self.dut.i_copy.payload, command)
        ctx.set(self.dut.i_copy.valid, 1)
        cycles = 1
        while not (await ctx.tick().sample(self.dut.i_copy.ready))[-1]:
            cycles += 1
        ctx.set(self.dut.i_copy.valid, 0)
        return cycles

    async def vectors(self, ctx):
        """What the vector memories hold after each copy."""
        turns, size = self.turns, self.values.shape[1]
        beats = -(-size // self.macs)
        copies = []
        for _ in range(len(self.values) // turns):
            memory = np.zeros((beats * turns, self.macs, self.lanes), np.int64)
            for write in await get_all(ctx, self.dut.o_vector, turns * size):
                memory[write.address, write.byte] = list(write["values"])
            copies.append(memory)
        return copies

    async def query_scales(self, ctx):
        """Bits ``[heads, lanes]``."""
        bits = np.zeros(self.scales.shape, np.uint32)
        for group in bits.reshape(-1, self.turns, self.lanes):
            for write in await get_all(ctx, self.dut.o_query_scale, group.size):
                group[write.turn, write.lane] = write.value
        return bits

    def check(self, copies, bits):
        assert (bits == multiply(self.scales, self.factor).view(np.uint32)).all()
        heads, size, _ = self.values.shape
        padded = np.pad(self.values, ((0, 0), (0, -size % self.macs), (0, 0)))
        beats = padded.reshape(heads // self.turns, self.turns, -1, self.macs, self.lanes)
        expected = beats.transpose(0, 2, 1, 3, 4)
        assert (np.stack(copies) == expected.reshape(np.stack(copies).shape)).all()


@pytest.mark.parametrize(("size", "turns"), [(16, 2), (48, 1), (48, 2)])
def test_copies_hold_the_queries(size, turns, idle, unit_shape_of):
    rng = np.random.default_rng(2)
    bench = Bench(unit_shape_of(nodes=3), rng, heads=4, size=size, turns=turns, idle=idle)

    async def copies(ctx):
        for _ in range(4 // turns):
            await bench.copy(ctx)

    benches = [bench.columns, bench.floats, copies, bench.vectors, bench.query_scales]
    bench.check(*run(bench.dut, *benches, max_cycles=2000)[3:])


def test_cycles_of_a_copy(unit_shape_of):
    rng = np.random.default_rng(3)
    bench = Bench(unit_shape_of(), rng, heads=4, size=32, turns=2)

    async def copies(ctx):
        await ctx.tick().repeat(150)
        return [await bench.copy(ctx) for _ in range(2)]

    results = run(bench.dut, copies, bench.columns, bench.floats, max_cycles=400)
    assert results[0] == [2 * 32 + 2] * 2


def test_few_columns_wait_for_the_scales(unit_shape_of):
    rng = np.random.default_rng(4)
    bench = Bench(unit_shape_of(nodes=16), rng, heads=1, size=16, turns=1)

    async def copies(ctx):
        await ctx.tick().repeat(60)
        return await bench.copy(ctx)

    results = run(bench.dut, copies, bench.columns, bench.floats, max_cycles=400)
    assert results[0] == 16 + bench.dut.SCALE_LATENCY + 2


def test_it_takes_a_column_a_cycle_up_to_its_capacity(unit_shape_of):
    dut = QueryStore(unit_shape_of())

    async def bench(ctx):
        ctx.set(dut.i.valid, 1)
        for _ in range(200):
            assert ctx.get(dut.i.ready)
            await ctx.tick()

    run(dut, bench, max_cycles=300)
