import numpy as np
from combinational import evaluate

from tercel_hw.head.float_order import key_of, value_of

MAGNITUDES = np.float32(
    [0, 1e-45, 2**-126, 0.5, np.nextafter(np.float32(1), 0), 1, 7e5, 3e38, np.inf]
)
FLOATS = np.concatenate([-MAGNITUDES[::-1], MAGNITUDES])
BITS = FLOATS.view(np.uint32).tolist()


def keys():
    return evaluate(key_of, (32,), [(bits,) for bits in BITS])


def test_keys_have_the_order_of_the_floats():
    found = keys()
    for (a, x), (b, y) in zip(
        zip(found[:-1], FLOATS[:-1], strict=True),
        zip(found[1:], FLOATS[1:], strict=True),
        strict=True,
    ):
        assert (a < b, a == b) == (x < y, x == y)
    assert found[0] > 0
    assert found[-1] < 1 << 32


def test_values_come_back_and_both_zeros_as_zero():
    found = evaluate(value_of, (32,), [(key,) for key in keys()])
    assert found == [0 if x == 0 else bits for x, bits in zip(FLOATS, BITS, strict=True)]
