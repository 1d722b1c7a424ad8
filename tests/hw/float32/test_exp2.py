import numpy as np

from tercel import numerics
from tercel_hw.float32 import Exp2


def test_the_range_and_its_borders(check, floats):
    generator = np.random.default_rng(1)
    x = generator.uniform(-140, 140, 1000).astype(np.float32)
    whole = np.arange(-130, 131).astype(np.float32)
    borders = np.nextafter(np.float32([-126, 128, 0]), np.float32(-1000))
    x = np.concatenate([x, whole, borders, floats.each_exponent(2), floats.corners])
    check(Exp2(), numerics.exp2(x), x=x)
