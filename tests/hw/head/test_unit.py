from dataclasses import dataclass, replace

import numpy as np
import pytest
from amaranth.back import rtlil
from amaranth.hdl import Elaboratable, Module
from amaranth.lib import wiring

from tercel.numerics import (
    Quantised,
    argmax,
    dequantise,
    exponential_sum,
    head_logits,
    integer_linear,
    shortlist,
    top_k,
)
from tercel_hw.dense import DenseConfig, DenseEngine
from tercel_hw.head import HeadConfig, HeadUnit, HeadUnitConfig
from tercel_sim.testbench import every_cycle, get_all, put_all, random_gaps, run

NODES, TOP_K = 3, 4
HEAD = HeadConfig(rows=1 << 17, sum_bits=DenseConfig().sum_bits)
NOTHING = {"top_k": 0, "argmax": 0, "sums": 0, "logits": 0}
RUNS = {"logits_address": 0x80000123, "summary_address": 0x456}


def shape(macs=16, nodes=NODES, **fields):
    dense = DenseConfig(nodes=nodes, macs=macs, chain=8, slices=8, tile=16, rows=64)
    head = HeadConfig(nodes=nodes, rows=64, top_k=TOP_K, sum_bits=dense.sum_bits, **fields)
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
class Sweep:
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
        stages = {"two_stage": 0, "buckets": 0, "address": 0}
        return {"rows": self.count, "slices": slices, "ternary": 0, **self.ask, **RUNS, **stages}

    def given_rows(self):
        """Rows from the ternary engine."""
        return []

    def memory(self, size):
        """Words by address, of which there are ``asked``."""
        return {}

    def asked(self, size):
        return 0

    def logits(self, x):
        """Unscaled, ``[nodes, limit]``."""
        limit = self.ask["limit"]
        return head_logits(self.rows[:limit], self.row_scales[:limit], x)

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
        """Runs as (address, lines), of the lanes that the sweep has."""
        nodes = np.arange(self.ask["nodes"])
        x = Quantised(values=self.x.values[nodes], scale=self.x.scale[nodes])
        u = self.logits(x)
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
        ranks = min(u.shape[1], self.ask["top_k"])
        for rows in top_k(u, ranks).T if ranks else []:
            lines += [rows, u[nodes, rows].view(np.uint32)]
        yield RUNS["summary_address"], np.array(lines)


@dataclass
class TernarySweep(Sweep):
    """A sweep whose logits the ternary engine has made: its columns are shifted by 2^7."""

    def command(self, size):
        return {**super().command(size), "rows": len(self.rows), "ternary": 1}

    def given_rows(self):
        u = dequantise(integer_linear(self.rows, self.x.values) << 7, self.row_scales)
        last = len(self.rows) - 1
        rows = u.T.view(np.uint32).tolist()
        return [{"values": row, "last": index == last} for index, row in enumerate(rows)]

    def logits(self, x):
        sums = integer_linear(self.rows[: self.ask["limit"]], x.values) << 7
        return dequantise(sums, self.row_scales[: self.ask["limit"]])

    def columns(self):
        return []

    def words(self, size):
        return []


@dataclass
class TwoStageSweep(Sweep):
    """A sweep that ranks rows by their signs, and reads the best of them."""

    BUCKETS = 8
    ADDRESS = 1000

    def command(self, size):
        stages = {"two_stage": 1, "buckets": self.BUCKETS, "address": self.ADDRESS}
        return {**super().command(size), "rows": len(self.rows), **stages}

    def scores(self):
        return dequantise(
            integer_linear(np.sign(self.rows), self.x.values), np.abs(self.row_scales) + 1
        )

    def given_rows(self):
        rows = self.scores().T.view(np.uint32).tolist()
        return [{"values": row, "last": index == len(rows) - 1} for index, row in enumerate(rows)]

    def memory(self, size):
        return dict(enumerate(super().words(size), self.ADDRESS))

    def lists(self):
        """Listed rows, ``[nodes, rows]``."""
        scores = self.scores()[: self.ask["nodes"], : self.ask["limit"]]
        return shortlist(scores, 4 * self.BUCKETS)

    def asked(self, size):
        return len(np.unique(self.lists())) * (1 + -(-self.rows.shape[1] // size))

    def words(self, size):
        return []

    def lines(self):
        lists, nodes = self.lists(), np.arange(self.ask["nodes"])
        ((address, lines),) = super().lines()
        best, rest = 1, 1 + 2 * self.ask["argmax"] + 3 * self.ask["sums"]
        for at in [best] * self.ask["argmax"] + [*range(rest, len(lines), 2)]:
            lines[at] = lists[nodes, lines[at]]
        yield address, lines

    def logits(self, x):
        """Those of the listed rows."""
        return np.take_along_axis(super().logits(x), self.lists(), axis=1)


def play(
    config, sweeps, idle=every_cycle, back_pressure=every_cycle, *, scales_after=0, max_cycles=8000
):
    """Runs as (address, lines)."""
    bench = Bench(config)
    unit = bench.unit
    expected = [run for sweep in sweeps for run in sweep.lines()]

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
        await ctx.tick().until(unit.i_command.ready)
        return runs

    async def words(ctx):
        """Give the tape of each sweep, or the words that it asks for."""
        for sweep in sweeps:
            await put_all(ctx, unit.i_word, sweep.words(config.dense.macs), idle)
            memory, left = sweep.memory(config.dense.macs), sweep.asked(config.dense.macs)
            while left:
                (count,) = await get_all(ctx, unit.o_words, 1, back_pressure)
                left -= count
                for _ in range(count):
                    (address,) = await get_all(ctx, unit.o_word_run, 1, back_pressure)
                    await put_all(ctx, unit.i_word, [memory[address]], idle)

    rows = [row for sweep in sweeps for row in sweep.given_rows()]
    return run(
        bench,
        take,
        *([source(unit.i_row, rows)] if rows else []),
        source(unit.i_command, [sweep.command(config.dense.macs) for sweep in sweeps]),
        source(unit.i, [column for sweep in sweeps for column in sweep.columns()]),
        source(
            unit.i_scales,
            [sweep.x.scale.view(np.uint32).tolist() for sweep in sweeps],
            scales_after,
        ),
        words,
        max_cycles=max_cycles,
    )[0]


def listed(sweeps):
    return [(address, lines.tolist()) for sweep in sweeps for address, lines in sweep.lines()]


def test_sweeps_equal_the_golden_model(idle, back_pressure):
    rng = np.random.default_rng(3)
    everything = {"top_k": 3, "argmax": 1, "sums": 1, "logits": 1}
    sweeps = [
        Sweep.random(rng, count=24, elements=40, **everything),
        Sweep.random(rng, count=32, elements=16, limit=21, argmax=1),
        Sweep.random(rng, count=16, elements=17, limit=2, top_k=TOP_K),
        Sweep.random(rng, count=17, elements=16, top_k=TOP_K, logits=1),
        Sweep.random(rng, count=32, elements=16, nodes=1, limit=30, **everything),
        Sweep.random(rng, count=16, elements=16, nodes=2, limit=1, **everything),
        Sweep.random(rng, count=16, elements=16, nodes=2, limit=15),
    ]
    assert play(shape(), sweeps, idle, back_pressure, max_cycles=20000) == listed(sweeps)


@pytest.mark.parametrize(
    "seed", [pytest.param(None, marks=pytest.mark.slow), 12], ids=["flowing", "waiting"]
)
def test_ternary_heads_and_others_alternate(seed):
    rng = np.random.default_rng(4)
    patterns = [every_cycle] * 2 if seed is None else [random_gaps(seed), random_gaps(seed + 1)]
    everything = {"top_k": 3, "argmax": 1, "sums": 1, "logits": 1}
    sweeps = [
        TernarySweep.random(rng, count=11, elements=9, **everything),
        Sweep.random(rng, count=16, elements=7, limit=6, **everything),
        TernarySweep.random(rng, count=9, elements=16, limit=3, nodes=2, argmax=1),
        TernarySweep.random(rng, count=1, elements=16, logits=1),
    ]
    config = shape(ternary_rows=8)
    assert play(config, sweeps, *patterns) == listed(sweeps)


TWO_STAGES = {"ternary_rows": 8, "shortlist": 32}


def test_two_stages():
    """Equal logits among them: the row that is earlier in the list is the better one."""
    rng = np.random.default_rng(7)
    sweep = TwoStageSweep.random(rng, count=40, elements=16, top_k=3, argmax=1, sums=1)
    sweep.rows[[19, 12]], sweep.row_scales[[4, 19, 12]] = sweep.rows[4], 0.01
    sweep.x.values[:] = sweep.rows[4]
    sweeps = [sweep, Sweep.random(rng, count=16, elements=16, limit=3, argmax=1)]
    played = play(shape(**TWO_STAGES), sweeps, random_gaps(3), random_gaps(4))
    assert played == listed(sweeps)


@pytest.mark.slow
@pytest.mark.parametrize("macs", [16, 64])
def test_two_stage_heads_and_others_alternate(macs, idle, back_pressure):
    rng = np.random.default_rng(6)
    ask = {"top_k": 3, "argmax": 1, "sums": 1}
    sweeps = [
        TwoStageSweep.random(rng, count=57, elements=40, **ask),
        Sweep.random(rng, count=16, elements=7, limit=6, logits=1, **ask),
        TwoStageSweep.random(rng, count=64, elements=16, limit=61, nodes=1, top_k=4),
        TernarySweep.random(rng, count=11, elements=9, logits=1, **ask),
        TwoStageSweep.random(rng, count=20, elements=16, limit=3, nodes=2, **ask),
        TwoStageSweep.random(rng, count=40, elements=80, argmax=1),
        TwoStageSweep.random(rng, count=64, elements=16, limit=64, nodes=2),
        TwoStageSweep.random(rng, count=9, elements=16, limit=1, **ask),
        Sweep.random(rng, count=24, elements=40, **ask),
    ]
    for number, sweep in enumerate(sweeps):
        sweep.ADDRESS = 1000 * number
    played = play(shape(macs, **TWO_STAGES), sweeps, idle, back_pressure, max_cycles=30_000)
    assert played == listed(sweeps)


def test_a_run_is_not_asked_for_before_the_first_row_of_a_ternary_head():
    """The writer would wait for its lines, and the rows for keys and values behind them."""
    unit = HeadUnit(shape(ternary_rows=8))
    command = {**NOTHING, **RUNS, "rows": 8, "limit": 8, "slices": 1, "nodes": 1, "two_stage": 0}

    async def bench(ctx):
        ctx.set(unit.o_run.ready, 1)
        await put_all(ctx, unit.i_command, [{**command, "logits": 1, "ternary": 1}])
        for _ in range(20):
            assert not ctx.get(unit.o_run.valid)
            await ctx.tick()
        ctx.set(unit.i_row.valid, 1)
        while not ctx.get(unit.o_run.valid):
            await ctx.tick()

    run(unit, bench, max_cycles=60)


def test_as_many_rows_of_a_ternary_head_wait_as_a_block_has():
    block = 24
    unit = HeadUnit(shape(ternary_rows=block))

    async def bench(ctx):
        ctx.set(unit.i_row.valid, 1)
        for _ in range(block):
            assert ctx.get(unit.i_row.ready)
            await ctx.tick()

    run(unit, bench, max_cycles=block + 8)


@pytest.mark.parametrize("macs", [32, 64])
def test_words_of_other_sizes(macs):
    rng = np.random.default_rng(5)
    sweeps = [
        Sweep.random(rng, count=16, elements=3 * macs, limit=1),
        # Begins while the last rows of the sweep before are dropped.
        Sweep.random(rng, count=16, elements=5, argmax=1),
        Sweep.random(rng, count=33, elements=macs + 1, limit=19, logits=1),
    ]
    assert play(shape(macs), sweeps) == listed(sweeps)


@pytest.mark.parametrize("rows", [3, 15, 20, 31])
def test_a_vocabulary_whose_blocks_need_another_bit(rows):
    """The rows that fill the last block must neither wrap nor count."""
    head = HeadConfig(nodes=NODES, rows=rows, top_k=TOP_K, sum_bits=shape().dense.sum_bits)
    config = HeadUnitConfig(head=head, dense=replace(shape().dense, rows=head.played_rows))
    everything = {"top_k": min(rows, TOP_K), "argmax": 1, "sums": 1, "logits": 1}
    rng = np.random.default_rng(rows)
    # Rows of more than one slice, whose sums are kept tile by tile.
    sweeps = [Sweep.random(rng, count=rows, elements=40, **everything) for _ in range(2)]
    assert play(config, sweeps) == listed(sweeps)


def test_late_scales_and_ties_which_go_to_the_lower_row():
    sweep = Sweep.random(np.random.default_rng(8), count=48, elements=16, argmax=1, top_k=4)
    sweep.rows[[9, 21, 30]] = sweep.rows[5]
    sweep.row_scales[:] = 0.01
    sweep.x.values[:] = sweep.rows[5]
    assert play(shape(), [sweep], scales_after=400) == listed([sweep])
    assert (
        top_k(head_logits(sweep.rows, sweep.row_scales, sweep.x), 4).tolist()
        == [[5, 9, 21, 30]] * NODES
    )


@pytest.mark.parametrize("elements", [16, 40])
def test_a_word_a_cycle_and_when_lines_are_offered(elements):
    bench = Bench(config := shape())
    unit = bench.unit
    sweep = Sweep.random(np.random.default_rng(9), count=48, elements=elements, logits=1)
    words = sweep.words(config.dense.macs)

    async def load(ctx):
        ctx.set(unit.o_run.ready, 1)
        ctx.set(unit.o_line.ready, 1)
        await put_all(ctx, unit.i_command, [sweep.command(config.dense.macs)])
        await put_all(ctx, unit.i, sweep.columns())

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
        while len(offered) < len(sweep.rows):
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
            r"rows .* must not exceed the dense engine's rows \(131072\), but are 262144",
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
