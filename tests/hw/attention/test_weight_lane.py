import numpy as np

from tercel.numerics.attention import LAST_SHIFT, SUM_SHIFT, WEIGHT_SHIFT
from tercel.numerics.functions import EXP2_FRACTION_BITS, exp2_significands
from tercel_hw.attention.weight_lane import WeightLane
from tercel_sim.testbench import run


def random_operands(count):
    """Scores up to the maximum, near it and far; exponents likewise; some that are not visible."""
    generator = np.random.default_rng(1)
    maximum = generator.integers(-(1 << 17), 1 << 17, count)
    below = generator.integers(0, 1 << 18, count) >> generator.integers(0, 18, count)
    below[::5] = generator.integers(0, 25, len(below[::5])) << EXP2_FRACTION_BITS
    score = np.maximum(maximum - below, -(1 << 17))
    largest = generator.integers(1, 255, count)
    apart = generator.integers(0, 256, count) >> np.arange(count) % 7
    exponent = largest - np.minimum(apart, largest)
    exponent[::2] = np.maximum(largest - generator.integers(0, 21, count), 0)[::2]
    return {
        "score": score,
        "maximum": maximum,
        "exponent": exponent,
        "largest": largest,
        "mantissa": np.where(generator.random(count) < 0.1, 0, generator.integers(128, 256, count)),
        "visible": (generator.random(count) < 0.9).astype(int),
    }


def golden(score, maximum, exponent, largest, mantissa, visible):
    """As in ``numerics.attend``."""
    below = score - maximum
    significand = exp2_significands()[below & (1 << EXP2_FRACTION_BITS) - 1]
    octaves = -(below >> EXP2_FRACTION_BITS)
    shift = np.minimum(octaves, LAST_SHIFT)
    terms = ((significand << SUM_SHIFT + 1) + (1 << shift)) >> shift + 1
    shift = np.minimum(WEIGHT_SHIFT + octaves + largest - exponent, LAST_SHIFT)
    weights = (significand * mantissa + (1 << shift - 1)) >> shift
    return (terms * visible).tolist(), (weights * visible).tolist()


def columns(operands):
    rows = zip(*(column.tolist() for column in operands.values()), strict=True)
    return [dict(zip(operands, row, strict=True)) for row in rows]


def test_it_equals_attend_with_exact_latency():
    dut = WeightLane()
    operands = random_operands(1500)
    given = columns(operands)

    async def bench(ctx):
        ctx.set(dut.enable, 1)
        results = []
        for cycle in range(len(given) + dut.LATENCY):
            if cycle >= dut.LATENCY:
                results.append((ctx.get(dut.o.term), ctx.get(dut.o.weight)))
            for name, value in given[min(cycle, len(given) - 1)].items():
                ctx.set(getattr(dut, name), value)
            await ctx.tick()
        return results

    assert dut.LATENCY == 5
    terms, weights = zip(*run(dut, bench, max_cycles=len(given) + 8)[0], strict=True)
    wanted = golden(**operands)
    assert (list(terms), list(weights)) == wanted
    assert {0, 1, 1 << 19} <= set(terms)
    assert {0, 1} <= set(weights)


def test_both_forms_are_one(check_forms):
    enable = np.random.default_rng(2).random(1000) < 0.7
    enable[:8] = True
    operands = random_operands(1000) | {"enable": enable.astype(int)}
    check_forms(WeightLane, start_up=7, stimulus=columns(operands))
