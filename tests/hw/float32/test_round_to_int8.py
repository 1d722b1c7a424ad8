import numpy as np

from tercel import numerics
from tercel_hw.float32 import RoundToInt8


def test_halves_limits_and_every_exponent(check, floats):
    halves = np.arange(-262, 263).astype(np.float32) / 2
    around = np.concatenate([np.nextafter(halves, np.float32(side)) for side in (-999, 999)])
    x = np.concatenate([halves, around, floats.each_exponent(1), floats.corners])
    x = np.where(np.abs(x) < 2**-126, np.float32(0), x)
    check(RoundToInt8(), np.clip(np.rint(x), -127, 127).astype(np.int8), x=x)


def test_with_a_rows_unit_it_is_the_golden_quantiser(check):
    x = np.random.default_rng(2).normal(0, 3, 500).astype(np.float32)
    unit = numerics.multiply(numerics.reciprocal(np.abs(x).max()), np.float32(127))
    check(RoundToInt8(), numerics.quantise(x[None]).values[0], x=numerics.multiply(x, unit))
