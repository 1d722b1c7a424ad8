import numpy as np
import pytest

from tercel_sim.testbench import get_all, put_all, run


def bits_of(x):
    return np.ascontiguousarray(x, np.float32).view(np.uint32)


def logit_payloads(unscaled):
    """``[nodes, rows]`` float32 as the logits of one sweep."""
    lanes, rows = np.shape(unscaled)
    return [
        {
            "value": int(value),
            "lane": lane,
            "row": row,
            "last": (lane, row) == (lanes - 1, rows - 1),
        }
        for row, values in enumerate(bits_of(unscaled).T)
        for lane, value in enumerate(values)
    ]


def through(dut, payloads, count, idle, back_pressure, max_cycles=6000):
    """Put payloads into ``i``; take ``count`` from ``o``."""

    async def source(ctx):
        await put_all(ctx, dut.i, payloads, idle)

    async def sink(ctx):
        return await get_all(ctx, dut.o, count, back_pressure)

    return run(dut, source, sink, max_cycles=max_cycles)[1]


@pytest.fixture(scope="session")
def bits():
    return bits_of


@pytest.fixture(scope="session")
def payloads_of():
    return logit_payloads


@pytest.fixture(name="through")
def through_fixture():
    return through


@pytest.fixture(scope="module", autouse=True)
def _garbage_at_collisions(colliding_memories):
    """No answer depends on a memory that is read and written at one address in a cycle."""
