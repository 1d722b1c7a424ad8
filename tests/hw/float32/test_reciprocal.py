import numpy as np

from tercel import numerics
from tercel_hw.float32 import Reciprocal


def test_random_operands_and_every_exponent(check, floats):
    x = np.concatenate([floats.random(1, 1000), floats.each_exponent(2), floats.corners])
    check(Reciprocal(), numerics.reciprocal(x), x=x)
