from dataclasses import dataclass

import numpy as np
from amaranth.hdl import Elaboratable, Module
from amaranth.lib import wiring

from tercel.numerics import Quantised, argmax, exponential_sum, head_logits, top_k
from tercel_hw.dense import DenseConfig, DenseEngine
from tercel_hw.head import HeadConfig, HeadUnit, HeadUnitConfig
from tercel_sim.testbench import get_all, put_all, run

NODES, BEST = 2, 4
RUNS = {"logits_address": 0x80000123, "summary_address": 0x456}


def shape(macs=16, nodes=NODES):
    dense = DenseConfig(nodes=nodes, macs=macs, turns=2, vector_beats=8, total_words=2, rows=64)
    return HeadUnitConfig(head=HeadConfig(nodes=nodes, rows=64, best=BEST), dense=dense)


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
            theirs.payload.turns.eq(1),
            theirs.payload.elements.eq(ours.payload.elements),
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
            ask={"limit": count, "best": 0, "argmax": 0, "sums": 0, "logits": 0, **ask},
        )

    @property
    def count(self):
        return -(-len(self.rows) // 16) * 16

    @property
    def command(self):
        return {"rows": self.count, "elements": self.rows.shape[1], **self.ask, **RUNS}

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
            tape += rows[block : block + 16].tobytes()
        return [int.from_bytes(tape[at : at + size], "little") for at in range(0, len(tape), size)]

    def lines(self):
        """Runs as (address, lines)."""
        limit = self.ask["limit"]
        u = head_logits(self.rows[:limit], self.row_scales[:limit], self.x)
        if self.ask["logits"]:
            yield RUNS["logits_address"], u.T.view(np.uint32)
        lines = [self.x.scale.view(np.uint32)]
        nodes = np.arange(NODES)
        if self.ask["argmax"]:
            rows = argmax(u)
            lines += [rows, u[nodes, rows].view(np.uint32)]
        if self.ask["sums"]:
            total = exponential_sum(u, self.x.scale)
            halves = total.total.view(np.uint32).reshape(-1, 2)
            lines += [total.octave.view(np.uint32), halves[:, 0], halves[:, 1]]
        ranks = min(limit, self.ask["best"])
        for rows in top_k(u, ranks).T if ranks else []:
            lines += [rows, u[nodes, rows].view(np.uint32)]
        yield RUNS["summary_address"], np.array(lines)


def play(config, walks, idle, back_pressure, max_cycles=8000):
    """Runs as (address, lines)."""
    bench = Bench(config)
    unit = bench.unit
    expected = [run for walk in walks for run in walk.lines()]

    def source(port, values, gaps=idle):
        async def testbench(ctx):
            await put_all(ctx, port, values, gaps)

        return testbench

    async def take(ctx):
        runs = []
        for _ in expected:
            (head,) = await get_all(ctx, unit.o_run, 1, back_pressure)
            lines = await get_all(ctx, unit.o_line, head.lines, back_pressure)
            runs.append((head.address, [list(line) for line in lines]))
        await ctx.tick().repeat(2)
        assert not ctx.get(unit.o_run.valid)
        assert not ctx.get(unit.o_line.valid)
        await ctx.tick().until(~unit.busy)
        return runs

    return run(
        bench,
        take,
        source(unit.i_command, [walk.command for walk in walks]),
        source(unit.i, [column for walk in walks for column in walk.columns()]),
        source(unit.i_scales, [walk.x.scale.view(np.uint32).tolist() for walk in walks]),
        source(unit.i_word, [w for walk in walks for w in walk.words(config.dense.macs)]),
        max_cycles=max_cycles,
    )[0]


def listed(walks):
    return [(address, lines.tolist()) for walk in walks for address, lines in walk.lines()]


def test_walks_equal_the_golden_model(idle, back_pressure):
    rng = np.random.default_rng(3)
    everything = {"best": 3, "argmax": 1, "sums": 1, "logits": 1}
    walks = [
        Walk.random(rng, count=40, elements=40, **everything),
        Walk.random(rng, count=32, elements=16, limit=21, argmax=1),
        Walk.random(rng, count=16, elements=33, limit=2, best=BEST, sums=1),
        Walk.random(rng, count=17, elements=48, best=BEST, logits=1),
    ]
    assert play(shape(), walks, idle, back_pressure) == listed(walks)
