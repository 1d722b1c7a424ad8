"""A dense engine played with matrices."""

from dataclasses import dataclass

import numpy as np
import pytest

from tercel_hw.dense import DenseEngine
from tercel_sim.testbench import every_cycle, get_all, put_all, run


def in_beats(config, rows):
    """``[..., elements]`` as beats ``[..., beats, macs]``, zero-padded."""
    missing = -rows.shape[-1] % config.macs
    padded = np.pad(rows, [(0, 0)] * (rows.ndim - 1) + [(0, missing)])
    return padded.reshape(*rows.shape[:-1], -1, config.macs)


def vector_writes(config, vectors):
    """Writes of ``[turns, nodes, elements]`` vectors."""
    turns, _, elements = vectors.shape
    return [
        {
            "address": element // config.macs * turns + turn,
            "byte": element % config.macs,
            "values": vectors[turn, :, element].tolist(),
        }
        for turn in range(turns)
        for element in range(elements)
    ]


@dataclass
class Walk:
    """``[rows, elements]`` against ``[turns, nodes, elements]`` or ``[rows, turns, nodes]``."""

    rows: np.ndarray
    vectors: np.ndarray | None = None
    weights: np.ndarray | None = None

    @property
    def axpy(self):
        return self.weights is not None

    @property
    def command(self):
        rows, elements = self.rows.shape
        turns = self.weights.shape[1] if self.axpy else self.vectors.shape[0]
        return {"axpy": self.axpy, "elements": elements, "turns": turns, "rows": rows}

    def sums(self):
        """``[rows * turns][nodes]``."""
        rows = self.rows.astype(np.int64)
        sums = np.einsum("re,tne->rtn", rows, self.vectors.astype(np.int64))
        return sums.reshape(-1, sums.shape[-1]).tolist()

    def totals(self, config):
        """What the engine gives, in its order."""
        totals = np.einsum("re,rtn->ten", self.rows.astype(np.int64), self.weights)
        turns, elements, _ = totals.shape
        split = totals.reshape(turns, elements, config.halves, config.columns)
        split = split.transpose(0, 2, 1, 3).reshape(-1, elements, config.columns)
        last = len(split) * elements - 1
        return [
            (sums.tolist(), index // elements, index == last)
            for index, sums in enumerate(split.reshape(-1, config.columns))
        ]


def play(config, walks, *, idle=every_cycle, back_pressure=every_cycle, max_cycles=20000):
    """Run walks one after the other; the lists of sums and totals that come out.

    The vectors of a walk are written when the sums of the walk before have come.
    """
    engine = DenseEngine(config)
    sums, totals = [], []
    expected = [len(walk.rows) * walk.command["turns"] * (not walk.axpy) for walk in walks]

    async def commands(ctx):
        for index, walk in enumerate(walks):
            if not walk.axpy:
                while len(sums) < sum(expected[:index]):
                    await ctx.tick()
                await put_all(ctx, engine.i_vector, vector_writes(config, walk.vectors))
            await put_all(ctx, engine.i_command, [walk.command])

    async def rows(ctx):
        for walk in walks:
            beats = in_beats(config, walk.rows).reshape(-1, config.macs)
            await put_all(ctx, engine.i_row, beats.tolist(), idle)

    async def weights(ctx):
        for walk in walks:
            if walk.axpy:
                flat = walk.weights.reshape(-1, config.nodes)
                await put_all(ctx, engine.i_weight, flat.tolist(), idle)

    async def take_sums(ctx):
        for _ in range(sum(expected)):
            sums.extend(await get_all(ctx, engine.o_sum, 1, back_pressure))
        return [list(payload) for payload in sums]

    async def take_totals(ctx):
        for walk in walks:
            if walk.axpy:
                count = len(walk.totals(config))
                totals.extend(await get_all(ctx, engine.o_total, count, back_pressure))
        return [(list(payload.sums), payload.set, bool(payload.last)) for payload in totals]

    results = run(engine, commands, rows, weights, take_sums, take_totals, max_cycles=max_cycles)
    return results[-2:]


@pytest.fixture
def vectors_of():
    return vector_writes


@pytest.fixture
def walk_of():
    return Walk


@pytest.fixture(name="play")
def play_fixture():
    return play
