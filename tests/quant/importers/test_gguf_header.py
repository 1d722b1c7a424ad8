"""Headers that announce absurd sizes, in files as large as they say."""

import struct
import time
import tracemalloc

import numpy as np
import pytest
from gguf_file import string, write_gguf

from tercel.errors import TercelError
from tercel_quant.importers.gguf_header import read_header

LARGE = 1 << 32


def head(tensors: int, keys: int) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, tensors, keys)


def list_of(kind: int, count: int) -> bytes:
    return head(0, 1) + string("a") + struct.pack("<IIQ", 9, kind, count)


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (list_of(8, LARGE // 8 - 99), "its lists announce more than 4194304 items"),
        (list_of(0, LARGE - 99), "its lists announce more than 4194304 items"),
        (list_of(12, LARGE // 8 - 99), "its lists announce more than 4194304 items"),
        (list_of(8, 1 << 63), "it announces 9223372036854775808 items of 8 bytes or more where"),
        (list_of(9, 3), "a list has items of the type 9, which are not known"),
        (
            head(0, 1) + string("a") + struct.pack("<IQ", 8, LARGE - 99),
            "its header announces more than 67108864 bytes",
        ),
        (head(0, 1) + struct.pack("<Q", LARGE - 99), "its header announces more than 67108864"),
        (head(LARGE // 24 - 9, 0), "it announces 178956961 tensors or keys, but no model has more"),
        (head(0, LARGE // 13 - 9), "it announces 330382090 tensors or keys, but no model has more"),
        (head(1, 0) + string("t") + struct.pack("<I", 1 << 31), "a tensor has 2147483648 dimens"),
    ],
    ids=range(10),
)
def test_absurd_sizes_are_refused_before_they_are_taken(tmp_path, data, rule):
    """The file has the bytes that it announces: a hole of 4 GiB, all zeros."""
    path = tmp_path / "m.gguf"
    with path.open("wb") as file:
        file.write(data)
        file.truncate(LARGE)
    tracemalloc.start()
    start = time.process_time()
    with pytest.raises(TercelError, match=rule):
        read_header(path)
    assert time.process_time() - start < 1
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_extents_and_offsets_of_any_size_are_read(tmp_path):
    """They are compared with the file by the reader of tensors."""
    entry = struct.pack("<IQQIQ", 2, 1 << 63, 1 << 63, 0, 1 << 63)
    path = tmp_path / "m.gguf"
    path.write_bytes(head(1, 0) + string("t") + entry + bytes(64))
    (found,) = read_header(path).tensors.values()
    assert found.shape == (1 << 63, 1 << 63)
    assert found.offset > 1 << 63


def test_values_of_every_type(tmp_path):
    keys = {"general.alignment": 64, "s": "ü", "b": True, "f": 0.5, "l": ["a", ""], "i": [1, -2]}
    data = np.arange(3, dtype="<f4").tobytes()
    tensors = {"x": (0, (3,), data), "y": (0, (1, 3), data)}
    header = read_header(write_gguf(tmp_path / "m.gguf", keys, tensors, alignment=64))
    assert header.metadata == keys
    assert header.alignment == 64
    assert header.tensors["y"].offset - header.tensors["x"].offset == 64
    assert header.tensors["y"].shape == (1, 3)


@pytest.mark.parametrize("alignment", [0, 3, "x", 0.5])
def test_alignment_is_a_power_of_two(tmp_path, alignment):
    path = write_gguf(tmp_path / "m.gguf", {"general.alignment": alignment}, {})
    with pytest.raises(TercelError, match=r"general\.alignment must be a power of two"):
        read_header(path)
