from itertools import chain

import numpy as np
import pytest
from amaranth.back import rtlil
from amaranth.hdl import ResetInserter, Signal

from tercel.numerics import integer_linear
from tercel_hw.dense import DenseConfig, DenseEngine
from tercel_sim.testbench import get_all, put_all, run

SMALL = DenseConfig(nodes=2, macs=16, chain=4, slices=6, tile=8, totals=3)
OTHERS = [
    DenseConfig(nodes=1, macs=16, chain=8, slices=4, tile=8, totals=1),
    DenseConfig(nodes=3, macs=32, chain=4, slices=5, tile=4, totals=2),
    DenseConfig(nodes=1, macs=64, chain=16, slices=3, tile=16, totals=2),
]


def int8(rng, *shape):
    return rng.integers(-127, 128, shape).astype(np.int8)


def weights17(rng, *shape):
    return rng.integers(0, 1 << 17, shape)


def some_walks(rng, config, walk_of):
    """Dots and axpys of one full slice, a half slice, and both, of odd and even rows."""
    macs, nodes, tile = config.macs, config.nodes, config.tile
    widest = config.totals * macs
    walks = []
    for rows in 1, tile + 3, 2 * tile + 2:
        for elements in (macs, macs // 2, macs + 8, 2 * macs + 4, 3 * macs - 1):
            if elements <= config.slices * macs:
                vectors = int8(rng, nodes, elements)
                walks.append(walk_of(rows=int8(rng, rows, elements), vectors=vectors, tile=tile))
            if elements <= widest:
                weights = weights17(rng, rows, nodes)
                walks.append(walk_of(rows=int8(rng, rows, elements), weights=weights))
    return walks


def check(config, walks, play, **patterns):
    sums, totals = play(config, walks, **patterns)
    dots = [walk for walk in walks if not walk.axpy]
    assert sums == list(chain.from_iterable(walk.sums() for walk in dots))
    for walk in dots:
        assert walk.sums() == integer_linear(walk.rows, walk.vectors).T.tolist()
    axpys = [walk for walk in walks if walk.axpy]
    assert totals == list(chain.from_iterable(walk.totals() for walk in axpys))


def test_walks_equal_the_golden_model(idle, back_pressure, play, walk_of):
    walks = some_walks(np.random.default_rng(5), SMALL, walk_of)
    check(SMALL, walks, play, idle=idle, back_pressure=back_pressure)


@pytest.mark.parametrize("config", OTHERS, ids=["one lane", "three lanes", "words of 64"])
def test_other_shapes(config, play, walk_of):
    check(config, some_walks(np.random.default_rng(6), config, walk_of), play)
