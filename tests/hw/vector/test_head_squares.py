import numpy as np
import pytest

from tercel.numerics import sum_of_squares
from tercel_hw.vector import VectorConfig
from tercel_hw.vector.head_squares import HeadSquares
from tercel_sim.testbench import every_cycle, random_gaps, run


def config_of(nodes, head_size):
    shape = {"columns": head_size, "hidden": head_size, "head_size": head_size}
    return VectorConfig(nodes=nodes, qk_norm=True, **shape)


def bits(x):
    return np.ascontiguousarray(x, np.float32).view(np.uint32).tolist()


def heads_of(nodes, count, size, seed=1):
    """``[count, nodes, size]``: numbers of all magnitudes, zeros, and squares that overflow."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, nodes, size)).astype(np.float32)
    x *= (2.0 ** rng.choice([-70, -20, 0, 3, 60], (count, nodes, 1))).astype(np.float32)
    x[rng.random(x.shape) < 0.1] = -0.0
    x[1, 0], x[2, :, 5] = 0, np.float32(3e38)
    return x


def sums_of(dut, rows, idle=every_cycle, patience=120):
    """Sums of heads of each row, and the cycles in which the last elements went and sums came."""
    last, came, sums = [], [], []

    async def clock(ctx):
        if ctx.get(dut.o.present):
            sums.append(ctx.get(dut.o.value))
            came.append(len(cycles))
        cycles.append(None)
        await ctx.tick()

    cycles = []

    async def bench(ctx):
        for heads in rows:
            size = heads.shape[-1]
            ctx.set(dut.count, size // 16)
            for head in heads:
                for place, values in enumerate(bits(head.T)):
                    while not idle():
                        await clock(ctx)
                    ctx.set(dut.i, {"values": values, "present": 1, "place": place})
                    await clock(ctx)
                    ctx.set(dut.i.present, 0)
                last.append(len(cycles) - 1)
            for _ in range(patience):
                await clock(ctx)

    run(dut, bench, max_cycles=30_000)
    return sums, last, came


@pytest.mark.parametrize(
    ("nodes", "largest", "sizes", "idle"),
    [
        (2, 256, [144, 256, 16, 176, 224], every_cycle),
        (1, 128, [16, 32, 80, 96, 112, 128], random_gaps(1)),
        (1, 48, [48, 32], every_cycle),
        (16, 144, [144], every_cycle),
        (3, 16, [16], random_gaps(2)),
    ],
)
def test_it_equals_the_golden_model(nodes, largest, sizes, idle):
    rows = [heads_of(nodes, 3, size, seed) for seed, size in enumerate(sizes)]
    dut = HeadSquares(config_of(nodes, largest))
    sums, _, _ = sums_of(dut, rows, idle)
    assert sums == [word for heads in rows for word in bits(sum_of_squares(heads).reshape(-1))]


@pytest.mark.parametrize(
    ("largest", "size", "latency"), [(128, 128, 66), (256, 64, 75), (16, 16, 39)]
)
def test_latency_of_heads_back_to_back(largest, size, latency):
    dut = HeadSquares(config_of(2, largest))
    _, last, came = sums_of(dut, [heads_of(2, 3, size)])
    assert HeadSquares.latency(dut.config) == latency
    assert last == [size * head - 1 for head in (1, 2, 3)]
    assert came == [cycle + latency + lane for cycle in last for lane in range(2)]
