import random

import pytest

from tercel_hw.dense import DenseConfig
from tercel_hw.dense.chain import Chain

CELLS = 4
CONFIG = DenseConfig(nodes=1, macs=16, chain=CELLS, tile=8)
START_UP = CELLS + Chain.LATENCY
MULTIPLY, KEEP, CASCADE = 1, 2, 4
CONTROLS = [0, MULTIPLY, KEEP, CASCADE, MULTIPLY | KEEP, MULTIPLY | CASCADE]


def stimulus(seed, cycles=400):
    """Everything that a cell can be told, in any order, after all have got their first values."""
    draw = random.Random(seed)

    def extreme(bits):
        return draw.choice([0, 1, (1 << bits - 1) - 1, 1 << bits - 1, (1 << bits) - 1])

    def number(bits):
        return extreme(bits) if draw.random() < 0.3 else draw.randrange(1 << bits)

    def joined(bits, values):
        return sum(value << bits * index for index, value in enumerate(values))

    for cycle in range(cycles):
        begins = cycle < START_UP
        controls = [MULTIPLY if begins else draw.choice(CONTROLS) for _ in range(CELLS)]
        yield {
            "bytes": joined(8, [number(8) for _ in range(CELLS)]),
            "vector": number(8),
            "load": (1 << CELLS) - 1 if begins else draw.randrange(1 << CELLS),
            "weights": joined(17, [number(17) for _ in range(CELLS)]),
            "axpy": draw.randrange(1 << CELLS),
            "control": joined(3, controls),
        }


@pytest.mark.parametrize("seed", range(2))
def test_both_forms_are_one(seed, check_forms):
    check_forms(lambda: Chain(CONFIG), start_up=START_UP, stimulus=stimulus(seed))
