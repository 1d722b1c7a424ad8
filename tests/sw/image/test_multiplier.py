"""Ten-bit multipliers and the scales made of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tercel.errors import TercelError
from tercel.image.multiplier import (
    MOST_MULTIPLIER,
    multiplier_bytes,
    multiplier_codes,
    multiplier_values,
    pack_multipliers,
    quantise_scales,
    unpack_multipliers,
)

ALL = np.arange(1024, dtype=np.uint16)


def value(code):
    """The definition: two exponent bits, eight fraction bits."""
    exponent, fraction = code // 256, code % 256
    return fraction if exponent == 0 else (256 + fraction) * 2 ** (exponent - 1)


def test_the_values_of_all_codes():
    values = multiplier_values(ALL)
    assert values.tolist() == [value(code) for code in range(1024)]
    assert (np.diff(values.astype(int)) > 0).all()
    assert values[-1] == MOST_MULTIPLIER
    assert (np.diff(values[256:].astype(int)) / values[256:-1] <= 1 / 256).all()
    assert np.array_equal(multiplier_codes(values), ALL)


@pytest.mark.parametrize("wrong", [513, 1022 + 3, 1026, 2045, 2048, 65535])
def test_other_values_are_refused(wrong):
    with pytest.raises(TercelError, match=f"multipliers must be .* but one is {wrong}; "):
        multiplier_codes(np.array([[4, wrong]], np.uint16))


@given(st.lists(st.integers(0, 1023), min_size=1, max_size=9))
def test_packing_is_one_integer_from_the_lowest_bits(codes):
    packed = pack_multipliers(np.array([codes], np.uint16))
    number = sum(code << 10 * i for i, code in enumerate(codes))
    assert packed.shape == (1, multiplier_bytes(len(codes)))
    assert int.from_bytes(packed.tobytes(), "little") == number
    assert unpack_multipliers(packed, len(codes)).tolist() == [codes]


def test_bits_after_the_last_multiplier_are_refused():
    packed = pack_multipliers(np.array([[1, 2, 3]], np.uint16))
    packed[0, -1] |= 0x40
    with pytest.raises(TercelError, match="the bits after its last multiplier are not zero"):
        unpack_multipliers(packed, 3)


positive = st.floats(2.0**-40, 2.0**40, width=32)
matrices = hnp.arrays(
    np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12), elements=positive
)


@given(matrices)
def test_scales_are_met_as_promised(scales):
    found = quantise_scales(scales)
    wide = scales.astype(np.float64)
    largest = wide.max(axis=1, keepdims=True)
    errors = found.relative_errors(scales)
    assert (errors[wide >= largest / 8] <= 0.002).all()
    assert (np.abs(found.values() - wide) <= largest * (1 + 1e-6) / 4088 + wide * 0.002).all()
    assert np.array_equal(multiplier_values(multiplier_codes(found.multipliers)), found.multipliers)


@pytest.mark.parametrize("spread", [0.2, 1.0])
def test_the_row_scale_is_the_best_of_those_tried(spread):
    """Against every multiplier of each row scale that maps the largest to 1920, 1924, ..., 2044."""
    scales = np.random.default_rng(5).lognormal(0.0, spread, (40, 12)).astype(np.float32)
    found = quantise_scales(scales)
    values = multiplier_values(ALL).astype(np.float64)
    for row, mine in zip(scales.astype(np.float64), found.values(), strict=True):
        meant = np.maximum(row, row.max() / 8)  # smaller ones count by their absolute error
        worst = [
            (np.abs(row[:, None] - values * (row.max() / top)).min(axis=1) / meant).max()
            for top in range(1920, 2045, 4)
        ]
        assert abs((np.abs(mine - row) / meant).max() - min(worst)) < 1e-6


@given(matrices)
def test_scales_that_are_products_are_kept(scales):
    once = quantise_scales(scales)
    again = quantise_scales(once.values().astype(np.float32))
    large = once.values() >= once.values().max(axis=1, keepdims=True) / 8
    assert (again.relative_errors(once.values())[large] <= 0.002).all()
    equal = quantise_scales(np.repeat(scales[:, :1], 5, axis=1))
    assert equal.relative_errors(np.repeat(scales[:, :1], 5, axis=1)).max() < 2.0**-23


def test_groups_and_rows_of_zeros_have_the_multiplier_zero():
    scales = np.array([[0, 1.0, 0], [0, 0, 0], [1e-42, 0, 0]])
    found = quantise_scales(scales)
    assert found.multipliers[0].tolist()[::2] == [0, 0]
    assert not found.multipliers[1:].any()
    assert not found.row_scale[1:].any()
    assert found.row_scale.dtype == np.float32


@pytest.mark.parametrize("scale", [np.nan, np.inf, -1.0, 1e39])
def test_scales_that_are_no_scales_are_refused(scale):
    with pytest.raises(TercelError, match="must be finite and not negative"):
        quantise_scales(np.array([[1.0, scale]]))
    with pytest.raises(TercelError, match=r"must be \[rows, groups\], not of shape \(2,\)"):
        quantise_scales(np.ones(2))
