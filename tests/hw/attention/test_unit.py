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
    """How many runs a layer takes."""
    kv_heads = len(layer.cache.keys)
    return kv_heads * (2 * -(-layer.positions // config.tile) + 1)


async def lend(ctx, dut, rows, vectors, idle=every_cycle, back_pressure=every_cycle):
    """Sums of int8 ``rows`` against ``vectors [nodes, elements]``, and the cycles they took."""
    macs = dut.config.word_bytes
    elements = vectors.shape[1]
    writes = [
        {"address": element // macs, "byte": element % macs, "values": vectors[:, element].tolist()}
        for element in range(elements)
    ]
    await put_all(ctx, dut.i_head_vector, writes, idle)
    await put_all(ctx, dut.i_head_command, [{"elements": elements, "rows": len(rows)}], idle)
    beats = np.pad(rows, ((0, 0), (0, -elements % macs))).reshape(-1, macs).tolist()
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
    """A unit, a memory and the layers that it plays; the head's walks come between them."""

    def __init__(self, config, layers, idle=every_cycle, back_pressure=every_cycle, walks=()):
        self.config, self.layers, self.walks = config, layers, list(walks)
        self.idle, self.back_pressure = idle, back_pressure
        self.dut = AttentionUnit(config)
        self.lanes = config.attention.nodes
        rng = np.random.default_rng(8)
        self.memory = rng.integers(0, 256, (2000, config.word_bytes), dtype=np.uint8)
        self.addresses = [7 + 1000 * (index % 2) for index in range(len(layers))]
        self.runs = []

    async def commands(self, ctx):
        """Attention's, and the sums of the head."""
        sums, walks = [], list(self.walks)
        for layer, address in zip(self.layers, self.addresses, strict=True):
            command = layer.command(self.config.word_bytes, address)
            await put_all(ctx, self.dut.i_command, [command], self.idle)
            if walks:
                await ctx.tick().until(~self.dut.busy)
                walk = walks.pop(0)
                sums.append((await lend(ctx, self.dut, *walk, self.idle, self.back_pressure))[0])
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
            layer.store(self.memory, address)
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
        random_layer(rng, kv_heads=2, turns=2, size=16, past=6, parents=[-1, 0]),
        random_layer(rng, kv_heads=2, turns=1, size=48, past=1, parents=[-1]),
    ]
    walks = [(int8(rng, 9, 80), int8(rng, 2, 80)), (int8(rng, 12, 40), int8(rng, 2, 40))]
    bench = Bench(unit_shape_of(), layers, idle, back_pressure, walks)
    outputs, sums = bench.play()
    bench.check(outputs)
    assert sums == [integer_linear(rows, vectors).T.tolist() for rows, vectors in walks]


def test_trees_and_tiles(unit_shape_of, random_layer):
    rng = np.random.default_rng(2)
    layers = [
        random_layer(rng, kv_heads=1, turns=1, size=32, past=37, parents=[-1, 0, 0, 1]),
        random_layer(rng, kv_heads=1, turns=1, size=96, past=0, parents=[-1, 0, 1]),
        random_layer(rng, kv_heads=2, turns=2, size=16, past=7, parents=[-1, 0]),
        random_layer(rng, kv_heads=1, turns=1, size=16, past=0, parents=[-1]),
    ]
    bench = Bench(unit_shape_of(nodes=4), layers)
    bench.check(bench.play()[0])


@pytest.mark.parametrize(("macs", "tile"), [(8, 2), (32, 16)])
def test_other_words(macs, tile, unit_shape_of, random_layer):
    rng = np.random.default_rng(3)
    layer = random_layer(rng, kv_heads=2, turns=2, size=16, past=9, parents=[-1, 0])
    bench = Bench(unit_shape_of(macs=macs, tile=tile), [layer])
    bench.check(bench.play()[0])


@pytest.mark.parametrize(("positions", "size", "turns"), [(4, 32, 2), (16, 32, 2), (1, 16, 1)])
def test_cycles_from_head_to_head(positions, size, turns, unit_shape_of, random_layer):
    config, rng = unit_shape_of(tile=32), np.random.default_rng(6)
    shape = {"kv_heads": 3, "turns": turns, "size": size, "past": positions - 1}
    command = random_layer(rng, **shape, parents=[-1]).command(16, 0)
    dut = AttentionUnit(config)

    async def bench(ctx):
        ctx.set(dut.i_command.payload, command)
        for port in dut.i_command, dut.i_written, dut.i_query, dut.i_query_scales, dut.i_word:
            ctx.set(port.valid, 1)
        for port in dut.o_run, dut.o:
            ctx.set(port.ready, 1)
        offered, cycle = [], 0
        while len(offered) < 3 * turns * size:
            _, _, now = await ctx.tick().sample(dut.o.valid)
            offered += [cycle] if now else []
            cycle += 1
        return np.diff(offered[:: turns * size]).tolist()

    walk = positions * (size // 16) * turns
    expected = walk + max(walk + 2, turns * size) + dut.overhead - 1
    assert run(dut, bench, max_cycles=2000)[0] == [expected] * 2


def test_a_row_of_the_head_takes_its_beats(unit_shape_of):
    dut, rng = AttentionUnit(unit_shape_of()), np.random.default_rng(10)
    vectors = int8(rng, 2, 48)

    async def bench(ctx):
        few, many = [(await lend(ctx, dut, int8(rng, count, 48), vectors))[1] for count in (2, 12)]
        return many - few

    assert run(dut, bench, max_cycles=400)[0] == 10 * 3


def test_it_converts(unit_shape_of):
    assert "module" in rtlil.convert(AttentionUnit(unit_shape_of()))


@pytest.mark.slow
def test_the_kv260_shape_converts():
    config = AttentionUnitConfig(attention=AttentionConfig(dense=DenseConfig()))
    assert "module" in rtlil.convert(AttentionUnit(config))
