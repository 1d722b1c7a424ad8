import gguf
import numpy as np
import pytest
from gguf_packers import fraction

from tercel_quant.importers.gguf_blocks import BaseThree, Bits, LibraryBlocks

Q1_0 = Bits(weights=128, width=1, step=2, lowest=-1)
Q2_0 = Bits(weights=64, width=2, step=1, lowest=-1)
PQ2_0 = Bits(weights=128, width=2, step=1, lowest=-1)
TQ1_0 = BaseThree(weights=256, runs=((32, 5), (16, 5), (4, 4)))
PTQ1_0 = BaseThree(weights=128, runs=((16, 5), (8, 5), (2, 4)))


@pytest.mark.parametrize(
    ("form", "size"), [(Q1_0, 18), (Q2_0, 18), (PQ2_0, 34), (TQ1_0, 54), (PTQ1_0, 28)]
)
def test_published_sizes(form, size):
    assert form.size == size


def half(value: float) -> bytes:
    return np.float16(value).tobytes()


def decoded(form, block: bytes) -> list[float]:
    (values,) = form.decode(np.frombuffer(block, np.uint8)[None])
    assert values.shape == (form.weights,)
    return values.tolist()


def test_a_bit_is_a_sign_lowest_first():
    block = half(0.5) + bytes([0b10110001]) + bytes(14) + bytes([0b10000000])
    values = decoded(Q1_0, block)
    assert values[:8] == [0.5, -0.5, -0.5, -0.5, 0.5, 0.5, -0.5, 0.5]
    assert values[8:127] == [-0.5] * 119
    assert values[127] == 0.5


@pytest.mark.parametrize("form", [Q2_0, PQ2_0])
def test_two_bits_are_a_code_lowest_first(form):
    """Codes 3, 2, 1, 0 are 2, 1, 0, -1 scales; one byte has four weights in a row."""
    block = half(-2.0) + bytes([0b00_01_10_11]) + b"\x55" * (form.weights // 4 - 2) + b"\xaa"
    values = decoded(form, block)
    assert values[:4] == [-4.0, -2.0, 0.0, 2.0]
    assert values[4:-4] == [0.0] * (form.weights - 8)
    assert values[-4:] == [-2.0] * 4


def test_base_three_by_hand():
    """24 bytes in runs of 16 and 8 with five trits, then two with four."""
    content = [fraction(0, 0, 0, 0, 0)] * 26
    content[0] = fraction(1, -1, 0, 1, 1)  # weights 0, 16, 32, 48, 64
    content[15] = fraction(-1, 1, 1, 0, -1)  # 15, 31, 47, 63, 79
    content[16] = fraction(0, 1, -1, -1, 1)  # 80, 88, 96, 104, 112
    content[23] = fraction(1, 1, 0, 1, -1)  # 87, 95, 103, 111, 119
    content[24] = fraction(1, -1, 1, -1)  # 120, 122, 124, 126
    content[25] = fraction(-1, -1, 0, 1)  # 121, 123, 125, 127
    values = decoded(PTQ1_0, bytes(content) + half(1.5))
    expected = [0.0] * 128
    for places, trits in (
        (range(0, 80, 16), (1, -1, 0, 1, 1)),
        (range(15, 80, 16), (-1, 1, 1, 0, -1)),
        (range(80, 120, 8), (0, 1, -1, -1, 1)),
        (range(87, 120, 8), (1, 1, 0, 1, -1)),
        (range(120, 128, 2), (1, -1, 1, -1)),
        (range(121, 128, 2), (-1, -1, 0, 1)),
    ):
        for place, trit in zip(places, trits, strict=True):
            expected[place] = 1.5 * trit
    assert values == expected


def test_base_three_equals_the_library_where_it_has_the_type():
    blocks = np.random.default_rng(0).integers(0, 256, (300, 54), np.uint8)
    blocks[:, -1] &= 0x3B  # finite scales
    theirs = gguf.dequantize(blocks, gguf.GGMLQuantizationType.TQ1_0)
    assert np.array_equal(TQ1_0.decode(blocks), theirs)


@pytest.mark.parametrize("kind", ["TQ1_0", "TQ2_0", "Q4_0", "Q6_K", "Q8_0", "BF16", "F16", "F32"])
def test_types_of_the_library(kind):
    kind = gguf.GGMLQuantizationType[kind]
    form = LibraryBlocks(kind)
    blocks = np.random.default_rng(1).integers(0, 60, (20, form.size), np.uint8)
    values = form.decode(blocks)
    assert values.shape == (20, form.weights)
    assert values.dtype == np.float32
    assert np.array_equal(values, gguf.dequantize(blocks, kind))
