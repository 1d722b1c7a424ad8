import numpy as np

from tercel import numerics
from tercel_hw.float32 import Bfloat16Up


def test_every_exponent_and_whole_bfloat16s(check, floats):
    x = np.abs(np.concatenate([floats.random(1, 1000), floats.each_exponent(2), floats.corners]))
    whole = floats.of_bits(x.view(np.uint32) & np.uint32(0xFFFF0000))
    x = np.concatenate([x, whole, floats.of_bits(whole.view(np.uint32) | np.uint32(1))])
    check(Bfloat16Up(), numerics.bfloat16_up(x), x=x)
