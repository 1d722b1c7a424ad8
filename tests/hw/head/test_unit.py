from dataclasses import dataclass, replace

import numpy as np
import pytest
from amaranth.back import rtlil
from amaranth.hdl import Elaboratable, Module
from amaranth.lib import wiring

from tercel.numerics import Quantised, argmax, exponential_sum, head_logits, top_k
from tercel_hw.dense import DenseConfig, DenseEngine
from tercel_hw.head import HeadConfig, HeadUnit, HeadUnitConfig
from tercel_sim.testbench import every_cycle, get_all, put_all, run

NODES, BEST = 3, 4
HEAD = HeadConfig(rows=1 << 17, sum_bits=DenseConfig().sum_bits)
NOTHING = {"best": 0, "argmax": 0, "sums": 0, "logits": 0}
RUNS = {"logits_address": 0x80000123, "summary_address": 0x456}


def shape(macs=16, nodes=NODES):
    dense = DenseConfig(nodes=nodes, macs=macs, chain=8, slices=8, tile=16, rows=64)
    head = HeadConfig(nodes=nodes, rows=64, best=BEST, sum_bits=dense.sum_bits)
    return HeadUnitConfig(head=head, dense=dense)


class Bench(Elaboratable):
    """A unit with its engine."""

    def __init__(self, config):
        self.unit = HeadUnit(config)
        self.engine = DenseEngine(config.dense)

    def elaborate(self, platform):
        m = Module()
        m.submodules.unit, m.submodules.engine = unit, engine = self.unit, self.engine
        wiring.connect(m, unit.o_head_vector, engine.i_vector)
        wiring.connect(m, unit.o_head_row, engine.i_row)
        wiring.connect(m, engine.o_sum, unit.i_head_sum)
        ours, theirs = unit.o_head_command, engine.i_command
        m.d.comb += [
            theirs.valid.eq(ours.valid),
            ours.ready.eq(theirs.ready),
            theirs.payload.full.eq(ours.payload.slices),
            theirs.payload.tile.eq(16),
            theirs.payload.rows.eq(ours.payload.rows),
        ]
        return m


@dataclass
class Walk:
    """A head, activations, and what is asked for."""

    rows: np.ndarray
    row_scales: np.ndarray
    x: Quantised
    ask: dict

    @classmethod
    def random(cls, rng, *, count, elements, **ask):
        return cls(
            rows=rng.integers(-127, 128, (count, elements)).astype(np.int8),
            row_scales=(rng.random(count) * 0.01).astype(np.float32),
            x=Quantised(
                values=rng.integers(-127, 128, (NODES, elements)).astype(np.int8),
                scale=(0.01 + rng.random(NODES) * 0.02).astype(np.float32),
            ),
            ask={"limit": count, "nodes": NODES, **NOTHING, **ask},
        )

    @property
    def count(self):
        return -(-len(self.rows) // 16) * 16

    def command(self, size):
        slices = -(-self.rows.shape[1] // size)
        return {"rows": self.count, "slices": slices, **self.ask, **RUNS}

    def columns(self):
        last = self.rows.shape[1] - 1
        return [
            {"values": values.tolist(), "last": column == last}
            for column, values in enumerate(self.x.values.T)
        ]

    def words(self, size):
        """The tape: blocks of scales and rows, all padded to whole words with zeros."""
        rows = np.zeros((self.count, -(-self.rows.shape[1] // size) * size), np.int8)
        rows[: len(self.rows), : self.rows.shape[1]] = self.rows
        scales = np.zeros(self.count, np.float32)
        scales[: len(self.rows)] = self.row_scales
        tape = b""
        for block in range(0, self.count, 16):
            head = scales[block : block + 16].tobytes()
            tape += head.ljust(-(-len(head) // size) * size, b"\0")
            tape += rows[block : block + 16].reshape(16, -1, size).transpose(1, 0, 2).tobytes()
        return [int.from_bytes(tape[at : at + size], "little") for at in range(0, len(tape), size)]

    def lines(self):
        """Runs as (address, lines), of the lanes that the walk has."""
        limit, nodes = self.ask["limit"], np.arange(self.ask["nodes"])
        x = Quantised(values=self.x.values[nodes], scale=self.x.scale[nodes])
        u = head_logits(self.rows[:limit], self.row_scales[:limit], x)
        if self.ask["logits"]:
            yield RUNS["logits_address"], u.T.view(np.uint32)
        lines = [x.scale.view(np.uint32)]
        if self.ask["argmax"]:
            rows = argmax(u)
            lines += [rows, u[nodes, rows].view(np.uint32)]
        if self.ask["sums"]:
            total = exponential_sum(u, x.scale)
            halves = total.total.view(np.uint32).reshape(-1, 2)
            lines += [total.octave.view(np.uint32), halves[:, 0], halves[:, 1]]
        ranks = min(limit, self.ask["best"])
        for rows in top_k(u, ranks).T if ranks else []:
            lines += [rows, u[nodes, rows].view(np.uint32)]
        yield RUNS["summary_address"], np.array(lines)


def play(
    config, walks, idle=every_cycle, back_pressure=every_cycle, *, scales_after=0, max_cycles=8000
):
    """Runs as (address, lines)."""
    bench = Bench(config)
    unit = bench.unit
    expected = [run for walk in walks for run in walk.lines()]

    def source(port, values, wait=0):
        async def testbench(ctx):
            for _ in range(wait):
                await ctx.tick()
            await put_all(ctx, port, values, idle)

        return testbench

    async def take(ctx):
        runs = []
        for _, lines in expected:
            (head,) = await get_all(ctx, unit.o_run, 1, back_pressure)
            taken = await get_all(ctx, unit.o_line, head.lines, back_pressure)
            runs.append((head.address, [list(line)[: lines.shape[1]] for line in taken]))
        await ctx.tick().repeat(2)
        assert not ctx.get(unit.o_run.valid)
        assert not ctx.get(unit.o_line.valid)
        await ctx.tick().until(~unit.busy)
        return runs

    return run(
        bench,
        take,
        source(unit.i_command, [walk.command(config.dense.macs) for walk in walks]),
        source(unit.i, [column for walk in walks for column in walk.columns()]),
        source(
            unit.i_scales, [walk.x.scale.view(np.uint32).tolist() for walk in walks], scales_after
        ),
        source(unit.i_word, [w for walk in walks for w in walk.words(config.dense.macs)]),
        max_cycles=max_cycles,
    )[0]


def listed(walks):
    return [(address, lines.tolist()) for walk in walks for address, lines in walk.lines()]


def test_walks_equal_the_golden_model(idle, back_pressure):
    rng = np.random.default_rng(3)
    everything = {"best": 3, "argmax": 1, "sums": 1, "logits": 1}
    walks = [
        Walk.random(rng, count=24, elements=40, **everything),
        Walk.random(rng, count=32, elements=16, limit=21, argmax=1),
        Walk.random(rng, count=16, elements=17, limit=2, best=BEST),
        Walk.random(rng, count=17, elements=16, best=BEST, logits=1),
        Walk.random(rng, count=32, elements=16, nodes=1, limit=30, **everything),
        Walk.random(rng, count=16, elements=16, nodes=2, limit=1, **everything),
        Walk.random(rng, count=16, elements=16, nodes=2, limit=15),
    ]
    assert play(shape(), walks, idle, back_pressure, max_cycles=20000) == listed(walks)


@pytest.mark.parametrize("macs", [32, 64])
def test_words_of_other_sizes(macs):
    rng = np.random.default_rng(5)
    walks = [
        Walk.random(rng, count=16, elements=3 * macs, limit=1),
        # Begins while the last rows of the walk before are dropped.
        Walk.random(rng, count=16, elements=5, argmax=1),
        Walk.random(rng, count=33, elements=macs + 1, limit=19, logits=1),
    ]
    assert play(shape(macs), walks) == listed(walks)


def test_late_scales_and_ties_which_go_to_the_lower_row():
    walk = Walk.random(np.random.default_rng(8), count=48, elements=16, argmax=1, best=4)
    walk.rows[[9, 21, 30]] = walk.rows[5]
    walk.row_scales[:] = 0.01
    walk.x.values[:] = walk.rows[5]
    assert play(shape(), [walk], scales_after=400) == listed([walk])
    assert (
        top_k(head_logits(walk.rows, walk.row_scales, walk.x), 4).tolist()
        == [[5, 9, 21, 30]] * NODES
    )


@pytest.mark.parametrize("elements", [16, 40])
def test_a_word_a_cycle_and_when_lines_are_offered(elements):
    bench = Bench(config := shape())
    unit = bench.unit
    walk = Walk.random(np.random.default_rng(9), count=48, elements=elements, logits=1)
    words = walk.words(config.dense.macs)

    async def load(ctx):
        ctx.set(unit.o_run.ready, 1)
        ctx.set(unit.o_line.ready, 1)
        await put_all(ctx, unit.i_command, [walk.command(config.dense.macs)])
        await put_all(ctx, unit.i, walk.columns())

    async def tape(ctx):
        ctx.set(unit.i_word.valid, 1)
        taken, cycle = [], 0
        while len(taken) < len(words):
            ctx.set(unit.i_word.payload, words[len(taken)])
            _, _, ready = await ctx.tick().sample(unit.i_word.ready)
            if ready:
                taken.append(cycle)
            cycle += 1
        ctx.set(unit.i_word.valid, 0)
        return taken

    async def lines(ctx):
        summed, offered, cycle = [], [], 0
        sums = unit.i_head_sum
        while len(offered) < len(walk.rows):
            _, _, valid, ready, line = await ctx.tick().sample(
                sums.valid, sums.ready, unit.o_line.valid
            )
            if valid and ready:
                summed.append(cycle)
            if line:
                offered.append(cycle)
            cycle += 1
        return summed, offered

    _, taken, (summed, offered) = run(bench, load, tape, lines, max_cycles=600)
    assert taken == list(range(taken[0], taken[0] + len(words)))
    beats = -(-elements // config.dense.macs)
    size = config.scale_words + 16 * beats
    last_words = [taken[(block + 1) * size - 16 + row] for block in range(3) for row in range(16)]
    assert summed == [cycle + bench.engine.latency for cycle in last_words]
    # A row takes as many cycles as there are lanes; the queue takes up those that come faster.
    starts = [summed[0]]
    for cycle in summed[1:]:
        starts.append(max(cycle, starts[-1] + NODES))
    assert offered == [cycle + unit.LATENCY + NODES - 1 for cycle in starts]


@pytest.mark.slow
def test_the_kv260_shape_converts():
    config = HeadUnitConfig(head=HEAD, dense=DenseConfig())
    assert "module" in rtlil.convert(HeadUnit(config))


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"head": 3}, TypeError, "head must be a HeadConfig, not 3"),
        ({"dense": None}, TypeError, "dense must be a DenseConfig, not None"),
        (
            {"head": replace(HEAD, nodes=4)},
            ValueError,
            "nodes must be the same, but the head has 4 and the dense engine 8",
        ),
        (
            {"head": replace(HEAD, rows=1 << 18)},
            ValueError,
            r"rows of the head must not exceed the dense engine's rows \(131072\), but are 262144",
        ),
        (
            {"head": replace(HEAD, sum_bits=32)},
            ValueError,
            r"sum_bits must be those of the dense engine \(27\), but are 32",
        ),
    ],
)
def test_wrong_values_are_refused(fields, error, message):
    with pytest.raises(error, match=message):
        HeadUnitConfig(**{"head": HEAD, "dense": DenseConfig(), **fields})
