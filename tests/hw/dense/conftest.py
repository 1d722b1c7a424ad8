"""A dense engine played with matrices."""

from dataclasses import dataclass

import numpy as np
import pytest

from tercel_hw.dense import DenseEngine
from tercel_sim.testbench import every_cycle, get_all, put_all, run


def cut(config, elements):
    """Full slices of rows of that many elements, and whether there is a half slice."""
    full, rest = divmod(elements, config.macs)
    half = 0 < rest <= config.macs // 2
    return full + (rest != 0 and not half), half


def padded(rows, elements):
    missing = elements - rows.shape[-1]
    return np.pad(rows, [(0, 0)] * (rows.ndim - 1) + [(0, missing)])


def beats_of(config, rows, number):
    """A slice of all rows; those of the half slice, which comes last, in pairs."""
    full, _ = cut(config, rows.shape[1])
    width = config.macs if number < full else config.macs // 2
    part = padded(rows[:, number * config.macs :][:, :width], width)
    if number == full and len(part) % 2:
        part = np.vstack([part, np.full((1, width), 85, np.int8)])
    return part.reshape(-1, config.macs)


def vector_writes(config, vectors, first=0):
    """Writes of ``[nodes, elements]`` vectors, zeros behind them, from a slice on."""
    full, half = cut(config, vectors.shape[1])
    whole = full * config.macs + half * (config.macs // 2)
    return [
        {
            "slice": first + element // config.macs,
            "index": element % config.macs,
            "half": element // config.macs == full,
            "lanes": (1 << config.nodes) - 1,
            "values": column.tolist(),
        }
        for element, column in enumerate(padded(vectors, whole).T)
    ]


@dataclass
class Sweep:
    """``[rows, elements]`` against ``[nodes, elements]``, or times weights ``[rows, nodes]``."""

    rows: np.ndarray
    vectors: np.ndarray | None = None
    weights: np.ndarray | None = None
    tile: int = 8
    head_slots: int = 1
    first: int = 0

    @property
    def axpy(self):
        return self.weights is not None

    def command(self, config):
        full, half = cut(config, self.rows.shape[1])
        return {
            "axpy": self.axpy,
            "rows": len(self.rows),
            "full": full,
            "half": half,
            "tile": self.tile,
            "slice": self.first,
        }

    def beats(self, config):
        full, half = cut(config, self.rows.shape[1])
        if self.axpy:
            return np.vstack([beats_of(config, self.rows, i) for i in range(full + half)])
        order = ([full] if half else []) + list(range(full))
        tiles = [self.rows[at : at + self.tile] for at in range(0, len(self.rows), self.tile)]
        return np.vstack([beats_of(config, tile, i) for tile in tiles for i in order])

    def beat_weights(self, config):
        """``[beats, 2, nodes]``."""
        full, half = cut(config, self.rows.shape[1])
        whole = np.stack([self.weights, self.weights], axis=1)
        pairs = np.vstack([self.weights, np.zeros_like(self.weights[: len(self.rows) % 2])])
        parts = [whole] * full + [pairs.reshape(-1, 2, config.nodes)] * half
        return np.vstack(parts)

    def sums(self):
        """``[rows][nodes]``."""
        return (self.rows.astype(np.int64) @ self.vectors.astype(np.int64).T).tolist()

    def read(self, config):
        full, half = cut(config, self.rows.shape[1])
        elements = self.rows.shape[1]
        return {"elements": elements, "full": full, "half": half, "head_slots": self.head_slots}

    def totals(self):
        """Expected totals in the engine's order, with head slot and last."""
        totals = self.rows.astype(np.int64).T @ self.weights
        found = [
            (t.tolist(), head_slot, False) for head_slot in range(self.head_slots) for t in totals
        ]
        return [*found[:-1], (*found[-1][:2], True)]


def play(config, sweeps, *, idle=every_cycle, back_pressure=every_cycle, max_cycles=20000):
    """Run sweeps one after the other; the lists of sums and totals that come out.

    The vectors of a sweep are written when the sums of the sweep before have come.
    """
    engine = DenseEngine(config)
    sums, totals = [], []
    dots = [sweep for sweep in sweeps if not sweep.axpy]
    axpys = [sweep for sweep in sweeps if sweep.axpy]

    async def commands(ctx):
        wanted = 0
        for sweep in sweeps:
            if not sweep.axpy:
                while len(sums) < wanted:
                    await ctx.tick()
                await put_all(
                    ctx, engine.i_vector, vector_writes(config, sweep.vectors, sweep.first)
                )
                wanted += len(sweep.rows)
            await put_all(ctx, engine.i_command, [sweep.command(config)])

    async def rows(ctx):
        for sweep in sweeps:
            await put_all(ctx, engine.i_row, sweep.beats(config).tolist(), idle)

    async def weights(ctx):
        for sweep in axpys:
            await put_all(ctx, engine.i_weight, sweep.beat_weights(config).tolist(), idle)

    async def reads(ctx):
        await put_all(ctx, engine.i_read, [sweep.read(config) for sweep in axpys], idle)

    async def take_sums(ctx):
        for _ in range(sum(len(sweep.rows) for sweep in dots)):
            sums.extend(await get_all(ctx, engine.o_sum, 1, back_pressure))
        return [list(payload) for payload in sums]

    async def take_totals(ctx):
        for sweep in axpys:
            count = len(sweep.totals())
            totals.extend(await get_all(ctx, engine.o_total, count, back_pressure))
        return [(list(payload.sums), payload.head_slot, bool(payload.last)) for payload in totals]

    benches = (commands, rows, weights, reads, take_sums, take_totals)
    return run(engine, *benches, max_cycles=max_cycles)[-2:]


@pytest.fixture
def vectors_of():
    return vector_writes


@pytest.fixture
def sweep_of():
    return Sweep


@pytest.fixture(name="play")
def play_fixture():
    return play


@pytest.fixture(scope="module", autouse=True)
def _garbage_at_collisions(colliding_memories):
    """No answer depends on a memory that is read and written at one address in a cycle."""
