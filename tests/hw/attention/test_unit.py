from itertools import chain

import numpy as np
import pytest
from amaranth.back import rtlil

from tercel.numerics import integer_linear
from tercel_hw.attention import AttentionConfig, AttentionUnit, AttentionUnitConfig
from tercel_hw.dense import DenseConfig
from tercel_sim.testbench import every_cycle, get_all, put_all, random_gaps, run


def int8(rng, *shape):
    return rng.integers(-127, 128, shape).astype(np.int8)


def runs_of(config, layer):
    """How many runs a layer takes."""
    kv_heads = len(layer.cache.keys)
    return kv_heads * (2 * -(-layer.positions // config.tile) + 1)


class Bench:
    """A unit, a memory and the layers that it plays."""

    def __init__(self, config, layers, idle=every_cycle, back_pressure=every_cycle):
        self.config, self.layers = config, layers
        self.idle, self.back_pressure = idle, back_pressure
        self.dut = AttentionUnit(config)
        self.lanes = config.attention.nodes
        rng = np.random.default_rng(8)
        self.memory = rng.integers(0, 256, (2000, config.word_bytes), dtype=np.uint8)
        self.addresses = [7 + 1000 * (index % 2) for index in range(len(layers))]
        self.runs = []

    async def commands(self, ctx):
        for layer, address in zip(self.layers, self.addresses, strict=True):
            command = layer.command(self.config.word_bytes, address)
            await put_all(ctx, self.dut.i_command, [command], self.idle)

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

    def play(self, *more, max_cycles=20000):
        benches = [self.commands, self.queries, self.query_scales, self.written]
        benches += [self.take_runs, self.words, self.outputs, *more]
        results = run(self.dut, *benches, max_cycles=max_cycles)
        return results[6:]

    def check(self, outputs):
        for layer, output in zip(self.layers, outputs, strict=True):
            nodes = len(layer.ancestors)
            assert (output[:, :nodes] == layer.golden()).all()
            assert not output[:, nodes:].any()


LAYERS = [
    {"kv_heads": 2, "turns": 2, "size": 16, "past": 37, "parents": [-1, 0]},
    {"kv_heads": 3, "turns": 1, "size": 48, "past": 1, "parents": [-1]},
    {"kv_heads": 1, "turns": 2, "size": 32, "past": 0, "parents": [-1, 0]},
    {"kv_heads": 1, "turns": 1, "size": 96, "past": 6, "parents": [-1, 0]},
]


def test_it_equals_attend(idle, back_pressure, unit_shape_of, random_layer):
    rng = np.random.default_rng(1)
    layers = [random_layer(rng, **fields) for fields in LAYERS]
    bench = Bench(unit_shape_of(), layers, idle, back_pressure)
    bench.check(bench.play()[0])
