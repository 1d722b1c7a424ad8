"""Random accelerators and random models at their limits, against the emulator.

Five compilations: some eight minutes on two free cores, two once compiled. More with
``tercel selfcheck`` on the configuration that ``random_accelerator`` gives for a seed.
"""

import json
import random
from dataclasses import replace

import pytest

from tercel.errors import TercelError
from tercel_hw.tlmm.config import PARTS, TlmmConfig
from tercel_hw.top import ACCELERATORS, AcceleratorConfig
from tercel_sim.selfcheck import check_model

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

PORTS = ((1, 16), (2, 8), (2, 16), (4, 8), (4, 16), (8, 8))
MODELS, PASSES, CYCLES = 12, 10, 20_000


def near_a_power(draw, low, high):
    """A number in ``low..high``, most often up to 15 below a power of two or about it."""
    power = 1 << draw.randint(low.bit_length(), high.bit_length())
    near = power + draw.choice((-1, -draw.randint(1, 15), draw.randint(-1, 1)))
    return min(high, max(low, draw.choice((near, near, draw.randint(low, high)))))


def random_accelerator(seed):
    """A small legal configuration; of those drawn, what is refused is drawn again."""
    draw = random.Random(seed)
    while True:
        try:
            return _draw(draw)
        except (TercelError, ValueError):
            continue


def _draw(draw):
    code = draw.choice(list(PARTS))
    columns = near_a_power(draw, 16, 320)
    tables = draw.randint(1, 10)
    tlmm = TlmmConfig(
        code=code,
        tables=tables,
        nodes=draw.choice((1, 2, 3, 4, 5, 6)),
        block_rows=draw.choice((1, draw.randint(2, 40))),
        generators=draw.randint(1, tables),
        max_columns=columns,
    )
    ports, port_bytes = draw.choice(PORTS)
    head_size = 16 * draw.randint(1, min(7, columns // 16))
    burst = 1 << draw.randint(1, 6)
    return AcceleratorConfig(
        tlmm=tlmm,
        ports=ports,
        port_bytes=port_bytes,
        hidden=near_a_power(draw, 16, columns),
        head_size=head_size,
        heads=draw.randint(1, columns // head_size),
        chain=1 << draw.randint(2, 5),
        positions=near_a_power(draw, 2, 300),
        rows=near_a_power(draw, 2, 600),
        top_k=near_a_power(draw, 2, 64),
        tape_words=draw.randint(2 * burst, 200),
        burst_beats=burst,
        address_width=draw.choice((32, 33, 40, 64)),
    )


def check(accelerator, seeds):
    for seed in seeds:
        done = check_model(accelerator, seed=seed, passes=PASSES, most_cycles=CYCLES)
        assert done.failure is None, (json.dumps(accelerator.parameters()), done)


@pytest.mark.parametrize("rows", [50, 511])
def test_vocabularies_whose_blocks_need_another_bit(rows):
    tiny = ACCELERATORS["tiny"]
    check(replace(tiny, rows=rows, positions=63), range(MODELS))


@pytest.mark.parametrize("seed", range(3))
def test_random_accelerators(seed):
    check(random_accelerator(seed), range(100 * seed, 100 * seed + MODELS))
