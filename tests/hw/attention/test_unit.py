from itertools import chain

import numpy as np
import pytest
from amaranth.back import rtlil

from tercel.numerics import integer_linear
from tercel_hw.attention import AttentionConfig, AttentionUnit, AttentionUnitConfig
from tercel_hw.dense import DenseConfig
from tercel_sim.testbench import every_cycle, get_all, put_all, run


def int8(rng, *shape):
    return rng.integers(-127, 128, shape).astype(np.int8)


def runs_of(config, layer):
    """Number of runs of a layer."""
    sweeps = len(layer.cache.keys) * layer.plan(config.attention.nodes).sweeps
    slices = layer.slices(config.word_bytes).count
    return sweeps * ((1 + slices) * -(-layer.positions // config.tile) + slices)


async def lend(ctx, dut, rows, vectors, idle=every_cycle, back_pressure=every_cycle):
    """Sums of int8 ``rows`` against ``vectors [nodes, elements]``, and the cycles they took."""
    macs = dut.config.word_bytes
    vectors, rows = (np.pad(a, ((0, 0), (0, -a.shape[1] % macs))) for a in (vectors, rows))
    writes = [
        {
            "slice": element // macs,
            "index": element % macs,
            "half": 0,
            "lanes": (1 << len(vectors)) - 1,
            "values": vectors[:, element].tolist(),
        }
        for element in range(vectors.shape[1])
    ]
    slices = vectors.shape[1] // macs
    await put_all(ctx, dut.i_head_vector, writes, idle)
    await put_all(ctx, dut.i_head_command, [{"slices": slices, "rows": len(rows)}], idle)
    blocks = [rows[at : at + 16].reshape(-1, slices, macs) for at in range(0, len(rows), 16)]
    beats = [
        beat for block in blocks for beat in block.transpose(1, 0, 2).reshape(-1, macs).tolist()
    ]
    sums, cycle = [], 0
    while len(sums) < len(rows):
        if beats and not ctx.get(dut.i_head_row.valid) and idle():
            ctx.set(dut.i_head_row.payload, beats.pop(0))
            ctx.set(dut.i_head_row.valid, 1)
        ctx.set(dut.o_head_sum.ready, ready := back_pressure())
        port, out = dut.i_head_row, dut.o_head_sum
        *_, taken, valid, payload = await ctx.tick().sample(port.ready, out.valid, out.payload)
        if taken:
            ctx.set(dut.i_head_row.valid, 0)
        if ready and valid:
            sums.append(list(payload))
        cycle += 1
    ctx.set(dut.o_head_sum.ready, 0)
    return sums, cycle


class Bench:
    """A unit, a memory and the layers that it plays; the head's sweeps come between them."""

    def __init__(self, config, layers, idle=every_cycle, back_pressure=every_cycle, sweeps=()):
        self.config, self.layers, self.sweeps = config, layers, list(sweeps)
        self.idle, self.back_pressure = idle, back_pressure
        self.dut = AttentionUnit(config)
        self.lanes = config.attention.nodes
        rng = np.random.default_rng(8)
        self.memory = rng.integers(0, 256, (2000, config.word_bytes), dtype=np.uint8)
        self.addresses = [7 + 1000 * (index % 2) for index in range(len(layers))]
        self.runs = []

    async def commands(self, ctx):
        """Attention's, and the sums of the head."""
        sums, sweeps = [], list(self.sweeps)
        for layer, address in zip(self.layers, self.addresses, strict=True):
            command = layer.command(self.config.word_bytes, address, self.lanes)
            await put_all(ctx, self.dut.i_command, [command], self.idle)
            if sweeps:
                await ctx.tick().until(~self.dut.busy)
                sweep = sweeps.pop(0)
                sums.append((await lend(ctx, self.dut, *sweep, self.idle, self.back_pressure))[0])
        return sums

    async def queries(self, ctx):
        columns = chain.from_iterable(layer.columns(self.lanes) for layer in self.layers)
        await put_all(ctx, self.dut.i_query, columns, self.idle)

    async def query_scales(self, ctx):
        scales = chain.from_iterable(layer.query_scales(self.lanes) for layer in self.layers)
        await put_all(ctx, self.dut.i_query_scales, scales, self.idle)

    async def written(self, ctx):
        """A layer's rows are there only now."""
        for layer, address in zip(self.layers, self.addresses, strict=True):
            layer.store(self.memory, address, self.lanes)
            await put_all(ctx, self.dut.i_written, [0], self.idle)

    async def take_runs(self, ctx):
        for _ in range(sum(runs_of(self.config, layer) for layer in self.layers)):
            (run_,) = await get_all(ctx, self.dut.o_run, 1, self.back_pressure)
            self.runs.append((run_.address, run_.words))

    async def words(self, ctx):
        for index in range(sum(runs_of(self.config, layer) for layer in self.layers)):
            while len(self.runs) <= index:
                await ctx.tick()
            address, words = self.runs[index]
            for row in self.memory[address : address + words]:
                word = int.from_bytes(row.tobytes(), "little")
                await put_all(ctx, self.dut.i_word, [word], self.idle)

    async def outputs(self, ctx):
        """Bits ``[heads * head size, lanes]`` of each layer."""
        outputs = []
        for layer in self.layers:
            count = layer.heads * layer.q.values.shape[2]
            taken = await get_all(ctx, self.dut.o, count, self.back_pressure)
            assert [p.last for p in taken] == [0] * (count - 1) + [1]
            outputs.append(np.array([list(p["values"]) for p in taken], np.uint32))
        return outputs

    def play(self):
        """Outputs and the sums of the head."""
        benches = [self.outputs, self.commands, self.queries, self.query_scales]
        benches += [self.written, self.take_runs, self.words]
        return run(self.dut, *benches, max_cycles=20000)[:2]

    def check(self, outputs):
        for layer, output in zip(self.layers, outputs, strict=True):
            nodes = len(layer.ancestors)
            assert (output[:, :nodes] == layer.golden()).all()
            assert not output[:, nodes:].any()


def test_it_equals_attend_and_serves_the_head(idle, back_pressure, unit_shape_of, random_layer):
    rng = np.random.default_rng(1)
    layers = [
        random_layer(rng, kv_heads=2, head_slots=2, size=16, base=6, parents=[-1, 0]),
        random_layer(rng, kv_heads=2, head_slots=1, size=48, base=1, parents=[-1]),
    ]
    sweeps = [(int8(rng, 9, 80), int8(rng, 2, 80)), (int8(rng, 12, 40), int8(rng, 2, 40))]
    bench = Bench(unit_shape_of(), layers, idle, back_pressure, sweeps)
    outputs, sums = bench.play()
    bench.check(outputs)
    assert sums == [integer_linear(rows, vectors).T.tolist() for rows, vectors in sweeps]


def test_trees_and_tiles(unit_shape_of, random_layer):
    rng = np.random.default_rng(2)
    layers = [
        random_layer(rng, kv_heads=1, head_slots=1, size=32, base=37, parents=[-1, 0, 0, 1]),
        random_layer(rng, kv_heads=1, head_slots=1, size=96, base=0, parents=[-1, 0, 1]),
        random_layer(rng, kv_heads=2, head_slots=2, size=16, base=7, parents=[-1, 0]),
        random_layer(rng, kv_heads=1, head_slots=1, size=16, base=0, parents=[-1]),
    ]
    bench = Bench(unit_shape_of(nodes=4), layers)
    bench.check(bench.play()[0])


@pytest.mark.parametrize(("macs", "sizes"), [(32, (48, 64)), (64, (16, 48, 80))])
def test_slices_and_half_slices(macs, sizes, unit_shape_of, random_layer):
    rng = np.random.default_rng(3)
    layers = [
        random_layer(rng, kv_heads=heads, head_slots=1, size=size, base=base, parents=[-1, 0])
        for size in sizes
        for base, heads in ((0, 1), (9, 2), (33, 1))
    ]
    bench = Bench(unit_shape_of(macs=macs, tile=32), layers)
    bench.check(bench.play()[0])


@pytest.mark.parametrize(
    ("lanes", "cases"),
    [
        (4, [([-1], 3), ([-1], 5), ([-1, 0], 3), ([-1, 0, 0], 2)]),
        (3, [([-1], 4), ([-1, 0], 2), ([-1, 0, 1], 2)]),
        (8, [([-1, 0, 1], 2)]),
        (1, [([-1], 3)]),
    ],
    ids=["4", "3", "8", "1"],
)
def test_query_heads_share_the_lanes(lanes, cases, unit_shape_of, random_layer):
    """Trees and numbers of query heads a key head, one after the other."""
    rng = np.random.default_rng(4)
    layers = [
        random_layer(rng, kv_heads=heads, head_slots=slots, size=size, base=base, parents=parents)
        for parents, slots in cases
        for base, heads, size in ((3, 2, 32), (16, 1, 16))
    ]
    bench = Bench(unit_shape_of(nodes=lanes, slices=20), layers)
    bench.check(bench.play()[0])


@pytest.mark.parametrize(("positions", "size"), [(40, 32), (64, 96), (30, 48)])
def test_cycles_from_sweep_to_sweep(positions, size, unit_shape_of, random_layer):
    """A layer whose words never wait, with more beats than outputs."""
    config, rng = unit_shape_of(macs=32, tile=32), np.random.default_rng(6)
    shape = {"kv_heads": 4, "head_slots": 1, "size": size, "base": positions - 1}
    layer = random_layer(rng, **shape, parents=[-1])
    dut = AttentionUnit(config)

    async def columns(ctx):
        await put_all(ctx, dut.i_query, layer.columns(2))

    async def bench(ctx):
        ctx.set(dut.i_command.payload, layer.command(32, 0, 2))
        for port in dut.i_command, dut.i_written, dut.i_query_scales, dut.i_word:
            ctx.set(port.valid, 1)
        for port in dut.o_run, dut.o:
            ctx.set(port.ready, 1)
        offered, cycle = [], 0
        while len(offered) <= 2 * size:
            _, _, now = await ctx.tick().sample(dut.o.valid)
            offered += [cycle] if now else []
            cycle += 1
        return np.diff(offered[::size]).tolist()

    slices, chain = layer.slices(32), config.attention.dense.chain
    parts, scales = [], []
    for start in range(0, positions, 32):
        count = min(32, positions - start)
        parts += [-(-count // 2)] * slices.half + [count] * slices.full
        scales.append(-(-count // 8))
    # The words of the first tile's scales come while values are moved out.
    keys = sum(max(words, chain) for words in parts[:-1]) + parts[-1] + sum(scales[1:])
    values = [positions] * slices.full + [-(-positions // 2)] * slices.half
    step = keys + 1 + sum(values) + (chain - 1) * len(values)
    assert run(dut, bench, columns, max_cycles=4000)[0][:2] == [step] * 2


def test_a_block_of_the_head_takes_its_beats(unit_shape_of):
    dut, rng = AttentionUnit(unit_shape_of()), np.random.default_rng(10)
    vectors = int8(rng, 2, 48)

    async def bench(ctx):
        few, more, most = [
            (await lend(ctx, dut, int8(rng, count, 48), vectors))[1] for count in (16, 32, 48)
        ]
        return more - few, most - few

    assert run(dut, bench, max_cycles=1000)[0] == (16 * 3, 32 * 3)


def test_it_converts(unit_shape_of):
    assert "module" in rtlil.convert(AttentionUnit(unit_shape_of()))


@pytest.mark.slow
def test_the_kv260_shape_converts():
    config = AttentionUnitConfig(attention=AttentionConfig(dense=DenseConfig()))
    assert "module" in rtlil.convert(AttentionUnit(config))
