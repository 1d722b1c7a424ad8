import numpy as np

from tercel import numerics
from tercel_hw.float32 import Silu


def test_activations_and_every_exponent(check, floats):
    x = np.random.default_rng(1).normal(0, 8, 600).astype(np.float32)
    x = np.concatenate([x, floats.each_exponent(2), floats.corners])
    check(Silu(), numerics.silu(x), x=x)
