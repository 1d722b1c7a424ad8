import contextlib
import struct
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tercel.errors import TercelError
from tercel_quant.importers.sentencepiece_model import Algorithm, Kind, Piece, SentencePieceModel


def varint(value: int) -> bytes:
    data = b""
    while value > 0x7F:
        data += bytes([value & 0x7F | 0x80])
        value >>= 7
    return data + bytes([value])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value % (1 << 64))


def text(field: int, data: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(data)) + data


def piece(name: str, score: float, kind: int) -> bytes:
    inside = text(1, name.encode()) + varint(2 << 3 | 5) + struct.pack("<f", score)
    return text(1, inside + number(3, kind))


def test_fields_by_hand():
    """An unknown field of every wire type is passed over."""
    unknown = number(90, 300) + varint(91 << 3 | 1) + bytes(8) + text(92, b"\xff\xff")
    trainer = number(3, 2) + number(35, 1) + number(40, 2) + number(41, -1) + unknown
    normalizer = text(1, b"identity") + text(2, b"") + number(3, 0) + number(4, 0)
    data = piece("a", -1.5, 1) + piece("ü", 0.0, 6) + text(2, trainer) + text(3, normalizer)
    model = SentencePieceModel.parse(data + unknown)
    assert model.pieces == [
        Piece(text="a", score=-1.5, kind=Kind.NORMAL),
        Piece(text="ü", score=0.0, kind=Kind.BYTE),
    ]
    assert (model.algorithm, model.unknown, model.begin) == (Algorithm.BPE, 2, -1)
    assert (model.byte_fallback, model.charsmap, model.suffix) == (True, False, False)
    assert (model.prefix, model.squeeze, model.escape) == (False, False, True)


def test_absent_fields_have_the_defaults_of_the_format():
    model = SentencePieceModel.parse(text(1, text(1, b"a")))
    assert model.pieces == [Piece(text="a", score=0.0, kind=1)]
    assert (model.algorithm, model.unknown, model.begin) == (Algorithm.UNIGRAM, 0, 1)
    assert (model.byte_fallback, model.suffix, model.charsmap) == (False, False, False)
    assert (model.prefix, model.squeeze, model.escape) == (True, True, True)


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "it is no SentencePiece model: it has no pieces"),
        (b"\x0a\x05ab", "or damaged: a field extends beyond the end"),
        (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "a field extends beyond the end"),
        (b"\xff", "it ends within a number"),
        (b"\xff" * 11, "a number has more than ten bytes"),
        (b"\x0b", "a field has the wire type 3"),
        (b"\x08\x01", "a text is written as a number"),
        (text(2, text(3, b"")), "a number is written as text"),
        (text(1, text(1, b"\xff")), "can't decode byte"),
        (text(1, varint(2 << 3 | 1) + bytes(8)), "it is no SentencePiece model, or damaged"),
        (b'{"version": 1}', "it is no SentencePiece model, or damaged"),
    ],
)
def test_damage_is_told(data, rule):
    with pytest.raises(TercelError, match=rule):
        SentencePieceModel.parse(data)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_model_or_refused(data):
    with contextlib.suppress(TercelError):
        assert SentencePieceModel.parse(data).pieces


def test_absurd_sizes_are_refused_early(monkeypatch):
    monkeypatch.setattr("tercel_quant.importers.sentencepiece_model.MOST_PIECES", 1 << 10)
    start = time.process_time()
    with pytest.raises(TercelError, match="it has more than 1024 pieces"):
        SentencePieceModel.parse(b"\x0a\x00" * (1 << 23))
    with pytest.raises(TercelError, match="it has 33554433 bytes, but at most 33554432 are read"):
        SentencePieceModel.parse(bytes((1 << 25) + 1))
    assert time.process_time() - start < 2


def test_published_field_numbers():
    """The same file, read by the library's own definition of the format."""
    from sentencepiece import sentencepiece_model_pb2 as definition

    random = np.random.default_rng(0)
    message = definition.ModelProto()
    for index in range(50):
        message.pieces.add(piece=f"t{index}", score=float(random.normal()), type=index % 6 + 1)
    message.trainer_spec.model_type = 2
    message.trainer_spec.byte_fallback = True
    message.trainer_spec.unk_id = 7
    message.trainer_spec.bos_id = -1
    message.trainer_spec.treat_whitespace_as_suffix = True
    message.normalizer_spec.precompiled_charsmap = b"x"
    message.normalizer_spec.add_dummy_prefix = False
    message.normalizer_spec.remove_extra_whitespaces = False
    message.normalizer_spec.escape_whitespaces = False
    model = SentencePieceModel.parse(message.SerializeToString())
    assert [(p.text, np.float32(p.score), p.kind) for p in model.pieces] == [
        (p.piece, np.float32(p.score), p.type) for p in message.pieces
    ]
    assert (model.algorithm, model.unknown, model.begin) == (2, 7, -1)
    assert (model.byte_fallback, model.suffix, model.charsmap) == (True, True, True)
    assert (model.prefix, model.squeeze, model.escape) == (False, False, False)
