# amaranth: UnusedElaboratable=no

import numpy as np
import pytest

from tercel_hw.float32 import IntToFloat


@pytest.mark.parametrize("width", [2, 8, 16, 17, 22, 23, 24, 25, 26, 27, 31, 32, 33, 37, 40])
def test_every_size_of_integer(check, width):
    generator = np.random.default_rng(width)
    x = generator.integers(-(1 << (width - 1)), 1 << (width - 1), 500)
    x = x >> generator.integers(0, width, 500)
    ends = np.array([0, 1, -1, (1 << (width - 1)) - 1, -(1 << (width - 1))])
    x = np.concatenate([x, ends])
    check(IntToFloat(width=width), x.astype(np.float32), x=x)


def test_ties_go_to_even(check):
    significand = np.array([2**23, 2**23 + 1, 2**24 - 1, 2**24 - 2])[:, None, None]
    shift = np.arange(1, 16)[:, None]
    x = (significand << shift) + (1 << (shift - 1)) + np.array([-1, 0, 1])
    x = np.concatenate([x.ravel(), -x.ravel()])
    x = x[abs(x) < 1 << 39]
    check(IntToFloat(width=40), x.astype(np.float32), x=x)


def test_both_forms_are_one(check_forms):
    check_forms(lambda: IntToFloat(width=22), start_up=6)


def test_the_constructor_checks_the_width():
    assert IntToFloat(width=19).width == 19
    with pytest.raises(ValueError, match="width must be between 2 and 40, not 41"):
        IntToFloat(width=41)
    with pytest.raises(ValueError, match="width must be between 2 and 40, not 1"):
        IntToFloat(width=1)
    with pytest.raises(TypeError, match=r"width must be an integer, not 8\.0"):
        IntToFloat(width=8.0)
