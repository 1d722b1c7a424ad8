import gguf
import numpy as np
import pytest
from gguf_file import write_gguf
from gguf_packers import two_bit

from tercel.errors import TercelError
from tercel_quant.importers.gguf_header import read_header
from tercel_quant.importers.gguf_tensors import GgufTensors
from tercel_quant.importers.gguf_types import candidate_types, type_name

SHAPE = (6, 256)


def opened(path):
    return GgufTensors(np.memmap(path, np.uint8, "r"), read_header(path))


def matrix(group: int, seed: int, shape=SHAPE) -> tuple[bytes, np.ndarray]:
    """A matrix of blocks of ``group`` two-bit codes, and its values."""
    random = np.random.default_rng(seed)
    trits = random.integers(-1, 2, shape)
    scales = random.uniform(0.5, 2, (shape[0], shape[1] // group)).astype(np.float16)
    return two_bit(trits, scales), trits * scales.astype(np.float32).repeat(group, 1)


@pytest.mark.parametrize("group", [64, 128])
def test_space_tells_the_group_of_q2_0(tmp_path, group):
    """Both group sizes have the number 42."""
    (first, one), (second, two) = matrix(group, 0), matrix(group, 1)
    norm = np.ones(5, np.float32).tobytes()
    tensors = {"a": (42, SHAPE, first), "norm": (0, (5,), norm), "b": (42, SHAPE, second)}
    found = opened(write_gguf(tmp_path / "m.gguf", {}, tensors))
    assert np.array_equal(found.read("a"), one)
    assert np.array_equal(found.read("b"), two)
    assert np.array_equal(found.read("norm"), np.ones(5))


def test_groups_that_differ_within_a_file_are_refused(tmp_path):
    tensors = {"a": (42, SHAPE, matrix(64, 0)[0]), "b": (42, SHAPE, matrix(128, 0)[0])}
    with pytest.raises(TercelError, match="b of the type Q2_0 takes 432 bytes, but 416 lie before"):
        opened(write_gguf(tmp_path / "m.gguf", {}, tensors))


def test_groups_that_the_space_does_not_tell_are_refused(tmp_path):
    """36 and 34 bytes take the same space of 64."""
    data = matrix(64, 0, (1, 128))[0]
    with pytest.raises(TercelError, match="a has the type Q2_0, whose block size is told by"):
        opened(write_gguf(tmp_path / "m.gguf", {}, {"a": (42, (1, 128), data)}))


@pytest.mark.parametrize("kind", [141, 142, 143])
def test_types_of_the_fork(tmp_path, kind):
    data, values = matrix(128, 3)
    path = write_gguf(tmp_path / "m.gguf", {}, {"a": (kind, SHAPE, data)})
    if kind == 142:
        assert np.array_equal(opened(path).read("a"), values)
    else:
        rule = {141: "has the type 141, which is not read", 143: "a of the type PTQ1_0 takes 336 b"}
        with pytest.raises(TercelError, match=rule[kind]):
            opened(path)


def test_scale_of_i2s_follows_the_codes(tmp_path):
    codes = np.full(6 * 64, 0b01_01_01_01, np.uint8)
    codes[0] = 0b10_01_00_01
    tail = np.float32(0.75).tobytes() + b"\xff" * 28
    path = write_gguf(tmp_path / "m.gguf", {}, {"a": (36, SHAPE, codes.tobytes() + tail)})
    found = opened(path)
    x86, arm = found.layouts[36]  # six rows are no multiple of four
    expected = np.zeros(SHAPE, np.float32)
    expected[0, 0], expected[0, 64] = 0.75, -0.75
    assert np.array_equal(found.read("a", x86), expected)
    expected[0, 64], expected[0, 32] = 0, -0.75
    assert np.array_equal(found.read("a", arm), expected)


def test_code_3_names_the_tensor(tmp_path):
    data = bytes(6 * 64 - 1) + b"\x03" + bytes(32)
    path = write_gguf(tmp_path / "m.gguf", {}, {"a": (36, SHAPE, data)})
    with pytest.raises(TercelError, match="a holds the two-bit code 3"):
        opened(path).read("a")


def test_large_tensors_are_read_in_parts(tmp_path, monkeypatch):
    whole = {}
    for chunk in (1 << 22, 256):
        monkeypatch.setattr("tercel_quant.importers.gguf_types.CHUNK", chunk)
        data = np.random.default_rng(0).integers(0, 3, 6 * 64, np.uint8).tobytes()
        tensors = {"a": (42, SHAPE, matrix(64, 0)[0]), "b": (36, SHAPE, data + bytes(32))}
        found = opened(write_gguf(tmp_path / "m.gguf", {}, tensors))
        whole[chunk] = [found.read("a"), *(found.read("b", one) for one in found.layouts[36])]
    for one, other in zip(*whole.values(), strict=True):
        assert np.array_equal(one, other)


def tl2(path):
    """bitnet.cpp's TL2 has the number of MXFP4, of other size."""
    return write_gguf(path, {}, {"a": (39, SHAPE, bytes(6 * 256 * 5 // 24))})


def test_foreign_type_of_a_known_number_is_refused(tmp_path):
    with pytest.raises(TercelError, match="a of the type MXFP4 takes 816 bytes, but 320 lie"):
        opened(tl2(tmp_path / "m.gguf"))
    path = write_gguf(tmp_path / "m.gguf", {}, {"a": (39, SHAPE, bytes(900))})
    rule = "but 928 lie before .* the program that wrote it has another type of the number 39"
    with pytest.raises(TercelError, match=rule):
        opened(path)


def test_tensors_in_one_place_are_refused(tmp_path):
    path = write_gguf(tmp_path / "m.gguf", {}, {"a": (0, (4,), b""), "b": (0, (4,), bytes(16))})
    with pytest.raises(TercelError, match="a of the type F32 takes 16 bytes, but 0 lie before"):
        opened(path)


@pytest.mark.parametrize(
    ("kind", "rule"),
    [
        (36, "a of the type I2_S must have a multiple of 128 weights"),
        (35, "a of the type TQ2_0 must have rows of a multiple of 256 weights, not 65"),
        (42, "a of the type Q2_0 must have rows of a multiple of 64 weights, not 65"),
        (37, r"a has the type 37 \(I8_S\), which is not read; convert the file to TQ2_0"),
        (38, r"a has the type 38 \(TL1\), which is not read"),
        (999, "a has the type 999, which is not read"),
        (15, r"a has the type 15 \(Q8_K\), which cannot be dequantised"),
    ],
)
def test_types_and_shapes_refused(tmp_path, kind, rule):
    path = write_gguf(tmp_path / "m.gguf", {}, {"a": (kind, (3, 65), bytes(300))})
    with pytest.raises(TercelError, match=rule):
        opened(path)


def test_every_type_of_the_library_is_read_or_named():
    refused = {}
    for kind in gguf.GGMLQuantizationType:
        assert type_name(kind.value) == kind.name
        try:
            (layout,) = candidate_types(kind.value)
        except TercelError as error:
            refused[kind.name] = str(error)
        else:
            assert (
                layout.size((2, 256))
                == 2 * 256 * gguf.GGML_QUANT_SIZES[kind][1] // (gguf.GGML_QUANT_SIZES[kind][0])
            )
    assert all(name in message for name, message in refused.items())
    assert set(refused) == {"Q8_1", "Q8_K", "I8", "I16", "I32", "I64", "F64"}
