import numpy as np

from tercel import numerics
from tercel_hw.float32 import SquaredRelu


def test_both_signs_and_every_exponent(check, floats):
    x = np.concatenate([floats.random(1, 600), floats.each_exponent(2), floats.corners])
    check(SquaredRelu(), numerics.relu2(x), x=x)
