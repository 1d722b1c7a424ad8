import numpy as np
import pytest

from tercel.numerics import multiply, quantise, reciprocal, rsqrt
from tercel.numerics.float32 import add
from tercel_hw.float32 import Multiplier
from tercel_hw.vector.row_counter import RowCounter
from tercel_hw.vector.row_scale import RowScale
from tercel_hw.vector.row_unit import RowUnit
from tercel_sim.testbench import run

LARGEST = np.finfo(np.float32).max
MAXIMA = np.float32([0, 2.0**-126, 1e-37, 0.7, 127, 3e5, LARGEST])
INVERSE_127 = np.float32(1 / 127)


def words(values) -> list[int]:
    return np.ascontiguousarray(values, np.float32).view(np.uint32).tolist()


def run_row(dut, operands):
    """The results, and that they come when they should; twice, to see that it starts anew."""

    async def bench(ctx):
        for _ in range(2):
            ctx.set(dut.i, operands)
            ctx.set(dut.start, 1)
            for _ in range(dut.latency):
                assert not ctx.get(dut.done)
                await ctx.tick()
                ctx.set(dut.start, 0)
            assert ctx.get(dut.done)
            results = list(ctx.get(dut.o))
            await ctx.tick()
            assert not ctx.get(dut.done)
        return results

    return run(dut, bench, max_cycles=200)[0]


@pytest.mark.parametrize("lanes", [1, 2, 5])
def test_every_lane_gets_its_own_result(lanes):
    a, b = np.float32(np.arange(1, lanes + 1)), np.float32(3)
    dut = RowCounter(Multiplier(), lanes=lanes, shared=("b",))
    assert dut.latency == Multiplier.LATENCY + lanes
    assert run_row(dut, {"a": words(a), "b": words(b)[0]}) == words(a * b)


def test_units_are_saturated():
    expected = np.minimum(multiply(reciprocal(MAXIMA), np.float32(127)), LARGEST)
    assert expected[1] == LARGEST
    dut = RowCounter(RowUnit(), lanes=len(MAXIMA))
    assert run_row(dut, {"maximum": words(MAXIMA)}) == words(expected)


@pytest.mark.parametrize("normed", [0, 1])
def test_scales(normed):
    squares = np.float32([0, 1e-30, 1, 7, 1e6, 3e20, 0.5])
    width, epsilon = np.float32(1 / 96), np.float32(1e-6)
    expected = quantise(MAXIMA[:, None]).scale
    assert (expected == multiply(MAXIMA, INVERSE_127)).all()
    if normed:
        expected = multiply(expected, rsqrt(add(multiply(squares, width), epsilon)))
    dut = RowCounter(RowScale(), lanes=7, shared=("inverse_width", "epsilon", "normed"))
    operands = {
        "maximum": words(MAXIMA),
        "squares": words(squares),
        "inverse_width": words(width)[0],
        "epsilon": words(epsilon)[0],
        "normed": normed,
    }
    assert run_row(dut, operands) == words(expected)
