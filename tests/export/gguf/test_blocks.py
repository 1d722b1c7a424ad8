import gguf
import numpy as np
import pytest
from gguf import GGMLQuantizationType

from tercel_export.gguf.blocks import (
    choose_row_type,
    choose_ternary_type,
    encode_rows,
    encode_trits,
)

TQ1_0, TQ2_0 = GGMLQuantizationType.TQ1_0, GGMLQuantizationType.TQ2_0
Q8_0, F32 = GGMLQuantizationType.Q8_0, GGMLQuantizationType.F32


@pytest.mark.parametrize("kind", [TQ1_0, TQ2_0, Q8_0])
def test_trits_come_back_with_the_scale_as_float16(kind):
    trits = np.random.default_rng(1).integers(-1, 2, (6, 512), np.int8)
    trits[2, :256] = 0
    scale = np.float32(0.0371)
    encoded = encode_trits(trits, scale, kind)
    assert encoded.dtype == np.uint8
    expected = trits * np.float32(np.float16(scale))
    assert np.array_equal(gguf.dequantize(encoded, kind), expected)


def test_rows_keep_every_integer():
    values = np.random.default_rng(2).integers(-127, 128, (5, 96), np.int8)
    scales = np.array([1e-3, 2.5e-4, 0, 0.7, 6e-4], np.float32)
    found = gguf.dequantize(encode_rows(values, scales, Q8_0), Q8_0)
    assert np.array_equal(found, values * np.float32(np.float16(scales))[:, None])


def test_float_types_lose_nothing():
    values = np.random.default_rng(3).integers(-127, 128, (3, 10), np.int8)
    scales = np.array([1e-7, 0.3, 1e6], np.float32)
    assert np.array_equal(encode_rows(values, scales, F32), values * scales[:, None])
    trits = np.sign(values)
    assert np.array_equal(encode_trits(trits, np.float32(1e-9), F32), trits * np.float32(1e-9))


@pytest.mark.parametrize(
    ("columns", "scale", "kind"),
    [(512, 0.1, TQ2_0), (160, 0.1, Q8_0), (148, 0.1, F32), (512, 1e-6, F32), (512, 0, TQ2_0)],
)
def test_the_type_of_a_matrix(columns, scale, kind):
    assert choose_ternary_type(columns, np.float32(scale), TQ2_0) == kind


@pytest.mark.parametrize(
    ("columns", "scales", "kind"),
    [(64, [1e-3, 0], Q8_0), (72, [1e-3], F32), (64, [1e-3, 1e-6], F32), (64, [0, 0], Q8_0)],
)
def test_the_type_of_rows(columns, scales, kind):
    assert choose_row_type(columns, np.array(scales, np.float32)) == kind
