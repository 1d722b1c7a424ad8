from itertools import chain

import numpy as np
import pytest
from amaranth.back import rtlil

from tercel.numerics import integer_linear
from tercel_hw.attention import Attention, AttentionConfig
from tercel_hw.dense import DenseConfig
from tercel_sim.testbench import every_cycle, get_all, put_all, random_gaps, run


def words_of(rows, macs):
    flat = rows.reshape(-1)
    return np.pad(flat, (0, -len(flat) % macs)).reshape(-1, macs).tolist()


def vector_writes(config, head):
    """The queries' elements; lanes without a node are zero."""
    nodes, group, size = head.q.values.shape
    values = np.pad(head.q.values, ((0, config.nodes - nodes), (0, 0), (0, 0)))
    return [
        {
            "address": element // config.dense.macs * group + turn,
            "byte": element % config.dense.macs,
            "values": values[:, turn, element].tolist(),
        }
        for turn in range(group)
        for element in range(size)
    ]


def play(config, heads, idle=every_cycle, back_pressure=every_cycle):
    """Float32 bits ``[N, group, head size]`` of every head."""
    dut = Attention(config)
    columns, halves = config.dense.columns, config.dense.halves

    async def control(ctx):
        for index, head in enumerate(heads):
            if index:
                await ctx.tick().until(dut.scored)
            await put_all(ctx, dut.i_vector, vector_writes(config, head))
            scales = np.ascontiguousarray(head.query_scales()).view(np.uint32)
            writes = [
                {"turn": turn, "lane": lane, "value": int(value)}
                for (lane, turn), value in np.ndenumerate(scales)
            ]
            await put_all(ctx, dut.i_query_scale, writes)
            await put_all(ctx, dut.i_command, [head.command(config.nodes)])

    async def rows(ctx):
        for head in heads:
            for part in head.cache.keys, head.cache.values:
                await put_all(ctx, dut.i_word, words_of(part, config.dense.macs), idle)

    async def scales(ctx):
        for head in heads:
            pairs = zip(head.cache.key_scales[0], head.cache.value_scales[0], strict=True)
            payloads = [{"key": int(key), "value": int(value)} for key, value in pairs]
            await put_all(ctx, dut.i_scales, payloads, idle)

    async def sink(ctx):
        outputs = []
        for head in heads:
            nodes, group, size = head.q.values.shape
            taken = await get_all(ctx, dut.o, group * halves * size, back_pressure)
            assert [p.last for p in taken] == [0] * (len(taken) - 1) + [1]
            values = np.array(list(chain.from_iterable(p["values"] for p in taken)), np.uint32)
            values = values.reshape(group, halves, size, columns).transpose(1, 3, 0, 2)
            outputs.append(values.reshape(-1, group, size)[:nodes])
        return outputs

    return run(dut, control, rows, scales, sink, max_cycles=20000)[3]


@pytest.mark.parametrize(("packed", "gaps"), [(False, True), (True, False)])
def test_it_equals_attend(packed, gaps, shape_of, random_head, bits):
    config, rng = shape_of(packed=packed, nodes=4), np.random.default_rng(2)
    heads = [
        random_head(rng, size=16, group=2, past=13, parents=[-1, 0, 0, 1]),
        random_head(rng, size=96, group=1, past=5, parents=[-1, 0, 1]),
        random_head(rng, size=128, group=2, past=2, parents=[-1]),
        random_head(rng, size=16, group=1, past=0, parents=[-1, 0, 0, 0]),
    ]
    patterns = (random_gaps(3), random_gaps(4)) if gaps else (every_cycle, every_cycle)
    outputs = play(config, heads, *patterns)
    for head, output in zip(heads, outputs, strict=True):
        assert (bits(head.golden()) == output).all()


def test_beats_longer_than_rows(shape_of, random_head, bits):
    config = shape_of(macs=32)
    head = random_head(np.random.default_rng(3), size=48, group=1, past=8, parents=[-1, 0])
    (output,) = play(config, [head])
    assert (bits(head.golden()) == output).all()


def test_cycles_of_a_head(config, random_head):
    dut = Attention(config)
    head = random_head(np.random.default_rng(4), size=32, group=1, past=19, parents=[-1])
    beats = 2 * 20

    async def control(ctx):
        await put_all(ctx, dut.i_command, [head.command(2)])
        ctx.set(dut.o.ready, 1)
        ctx.set(dut.i_scales.valid, 1)
        ctx.set(dut.i_word.valid, 1)
        taken, cycle = [], 0
        while len(taken) < 2 * beats:
            _, _, ready = await ctx.tick().sample(dut.i_word.ready)
            taken += [cycle] if ready else []
            cycle += 1
        ctx.set(dut.i_word.valid, 0)
        return taken

    taken = np.array(run(dut, control, max_cycles=600)[0])
    assert (np.diff(taken[:beats]) == 1).all()
    # The aligner holds two words; its third is taken when the first has met its weights.
    assert (np.diff(taken[beats + 3 :]) == 1).all()
    assert taken[beats + 2] - taken[beats - 1] == dut.overhead + 2


def test_cycles_between_heads(config, random_head):
    dut = Attention(config)
    head = random_head(np.random.default_rng(4), size=32, group=1, past=19, parents=[-1])

    async def control(ctx):
        ctx.set(dut.i_command.payload, head.command(2))
        for port in dut.i_command, dut.i_scales, dut.i_word:
            ctx.set(port.valid, 1)
        ctx.set(dut.o.ready, 1)
        scored, cycle = [], 0
        while len(scored) < 3:
            _, _, now = await ctx.tick().sample(dut.scored)
            scored += [cycle] if now else []
            cycle += 1
        return np.diff(scored).tolist()

    assert run(dut, control, max_cycles=600)[0] == [2 * 2 * 20 + dut.overhead + 1] * 2


@pytest.mark.parametrize("packed", [False, True])
def test_the_engine_is_lent(packed, shape_of):
    config, rng = shape_of(packed=packed), np.random.default_rng(5)
    dut = Attention(config)
    rows = rng.integers(-127, 128, (7, 40)).astype(np.int8)
    vectors = rng.integers(-127, 128, (2, 40)).astype(np.int8)

    async def head(ctx):
        writes = [
            {"address": element // 16, "byte": element % 16, "values": vectors[:, element].tolist()}
            for element in range(40)
        ]
        await put_all(ctx, dut.i_vector, writes)
        await put_all(ctx, dut.i_head_command, [{"elements": 40, "rows": 7}])
        beats = np.pad(rows, ((0, 0), (0, 8))).reshape(-1, 16)
        await put_all(ctx, dut.i_head_row, beats.tolist())

    async def sums(ctx):
        return [list(sums) for sums in await get_all(ctx, dut.o_head_sum, 7)]

    assert run(dut, head, sums, max_cycles=400)[1] == integer_linear(rows, vectors).T.tolist()


@pytest.mark.slow
def test_the_kv260_shape_converts():
    assert "module" in rtlil.convert(Attention(AttentionConfig(dense=DenseConfig(packed=True))))
