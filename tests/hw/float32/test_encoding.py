import itertools

import numpy as np
import pytest
from amaranth.hdl import Value
from combinational import evaluate

from tercel_hw.float32.encoding import compose, fields, significand

FLOATS = np.float32([0.0, -0.0, 1.0, -1.5, 3.1415927, 2**-126, -(2**-127), 1e-45, 3.4e38, np.inf])
BITS = FLOATS.view(np.uint32).tolist()


def test_fields_of_floats():
    def make(bits):
        view = fields(bits)
        return Value.cast(view.sign), Value.cast(view.exponent), Value.cast(view.mantissa)

    found = evaluate(make, (32,), [(bits,) for bits in BITS])
    assert found == [(bits >> 31, bits >> 23 & 255, bits & (1 << 23) - 1) for bits in BITS]


def test_significands_of_subnormals_are_zero():
    found = evaluate(significand, (32,), [(bits,) for bits in BITS])
    assert found == [(bits & (1 << 23) - 1) | 1 << 23 if bits >> 23 & 255 else 0 for bits in BITS]


@pytest.mark.parametrize("sign", [0, 1])
def test_what_compose_makes_at_all_borders(sign):
    def make(exponent, mantissa, zero, infinite):
        return compose(
            sign=Value.cast(sign == 1),
            exponent=exponent.as_signed(),
            mantissa=mantissa,
            zero=zero,
            infinite=infinite,
        )[:32]

    rows = list(
        itertools.product(
            [-512, -1, 0, 1, 2, 127, 253, 254, 255, 256, 511], [0, 5, (1 << 23) - 1], [0, 1], [0, 1]
        )
    )
    found = evaluate(make, (10, 23, 1, 1), [(e % 1024, *rest) for e, *rest in rows])
    for (exponent, mantissa, zero, infinite), bits in zip(rows, found, strict=True):
        if infinite or exponent >= 255:
            expected = 255 << 23
        elif zero or exponent <= 0:
            expected = 0
        else:
            expected = exponent << 23 | mantissa
        assert bits == expected | sign << 31, (exponent, mantissa, zero, infinite)
