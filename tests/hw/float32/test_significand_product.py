# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from side_by_side import SideBySide

from tercel_hw.float32 import Multiplier, SignificandProduct

LENGTHS = 2, 8, 17, 24


@pytest.mark.parametrize("b_bits", LENGTHS)
def test_products(evaluate, b_bits):
    generator = np.random.default_rng(b_bits)
    a, b = (generator.integers(1 << bits - 1, 1 << bits, 600) for bits in (24, b_bits))
    # Products that end in zeros, or almost.
    a[::3] &= -1 << 12
    b[::3] &= -1 << max(b_bits - 3, 0)
    a[1::3], b[1::3] = 1 << 23, np.minimum(1 << b_bits - 1 | 1 << np.arange(200) % b_bits, 1 << 24)
    below = b_bits - 2
    expected = [
        int(x) * int(y) >> below << 1 | (int(x) * int(y) % (1 << below) != 0)
        for x, y in zip(a, b, strict=True)
    ]
    assert {value & 1 for value in expected} == ({0, 1} if b_bits > 2 else {0})
    assert evaluate(SignificandProduct(b_bits=b_bits), a=a, b=b) == expected


def test_both_forms_are_one(check_forms):
    def products():
        return SideBySide({f"b{bits}": SignificandProduct(b_bits=bits) for bits in LENGTHS})

    check_forms(products, start_up=6)


@pytest.mark.parametrize("block", [SignificandProduct, Multiplier])
def test_the_constructor_checks_the_length(block):
    assert block(b_bits=8).b_bits == 8
    assert block().b_bits == 24
    with pytest.raises(TypeError, match=r"b_bits must be an integer, not 8\.0"):
        block(b_bits=8.0)
    for bits in (1, 18, 23, 25):
        with pytest.raises(ValueError, match=f"between 2 and 17, or 24, not {bits}"):
            block(b_bits=bits)
