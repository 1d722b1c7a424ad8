"""Reader of SentencePiece models, ``tokenizer.model``: a message of protocol buffers.

The few fields that a tokenizer needs are read directly, which takes no library. Their numbers are
those of ``sentencepiece_model.proto``; a field that is not there has its default.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from tercel.errors import TercelError

__all__ = ["MOST_PIECES", "Algorithm", "Kind", "Piece", "SentencePieceModel"]

MOST_BYTES = 1 << 25
"""Largest file; published ones have at most 5 MB."""
MOST_PIECES = 1 << 19
"""Largest vocabulary; published ones have at most 262,144 pieces."""

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""Wire types."""


class Kind(IntEnum):
    """The use of a piece; GGUF has the same numbers."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


class Algorithm(IntEnum):
    """The way in which a text is split into pieces."""

    UNIGRAM = 1
    BPE = 2
    WORD = 3
    CHAR = 4


class Piece(NamedTuple):
    """A token of the vocabulary."""

    text: str = ""
    score: float = 0.0
    kind: int = Kind.NORMAL


@dataclass(kw_only=True)
class SentencePieceModel:
    """The parts of a model that decide how a text is encoded."""

    pieces: list[Piece] = field(default_factory=list)
    algorithm: int = Algorithm.UNIGRAM
    byte_fallback: bool = False
    suffix: bool = False
    """True if white space ends a piece instead of starting it."""
    unknown: int = 0
    begin: int = 1
    charsmap: bool = False
    """True if texts are normalised by a table."""
    prefix: bool = True
    """True if a space is put in front of every text."""
    squeeze: bool = True
    """True if spaces at the ends of a text and after another space are dropped."""
    escape: bool = True
    """True if spaces are written as U+2581."""

    @classmethod
    def parse(cls, data: bytes) -> "SentencePieceModel":
        """Read a model.

        Raises
        ------
        TercelError
            If the data is no such model, is damaged, or is larger than any published one.
        """
        if len(data) > MOST_BYTES:
            raise TercelError(f"it has {len(data)} bytes, but at most {MOST_BYTES} are read")
        model = cls()
        try:
            for number, value in _fields(data):
                if number == 1:
                    model.pieces.append(_piece(_message(value)))
                    if len(model.pieces) > MOST_PIECES:
                        raise TercelError(f"it has more than {MOST_PIECES} pieces")
                elif number == 2:
                    model._trainer(_message(value))
                elif number == 3:
                    model._normalizer(_message(value))
        except (ValueError, struct.error) as error:
            raise TercelError(f"it is no SentencePiece model, or damaged: {error}") from None
        if not model.pieces:
            raise TercelError("it is no SentencePiece model: it has no pieces")
        return model

    def _trainer(self, data: bytes) -> None:
        for number, value in _fields(data):
            if number == 3:
                self.algorithm = _integer(value)
            elif number == 24:
                self.suffix = bool(_integer(value))
            elif number == 35:
                self.byte_fallback = bool(_integer(value))
            elif number == 40:
                self.unknown = _integer(value)
            elif number == 41:
                self.begin = _integer(value)

    def _normalizer(self, data: bytes) -> None:
        for number, value in _fields(data):
            if number == 2:
                self.charsmap = bool(_message(value))
            elif number == 3:
                self.prefix = bool(_integer(value))
            elif number == 4:
                self.squeeze = bool(_integer(value))
            elif number == 5:
                self.escape = bool(_integer(value))


def _piece(data: bytes) -> Piece:
    text, score, kind = "", 0.0, int(Kind.NORMAL)
    for number, value in _fields(data):
        if number == 1:
            text = _message(value).decode()
        elif number == 2:
            (score,) = struct.unpack("<f", _message(value))
        elif number == 3:
            kind = _integer(value)
    return Piece(text=text, score=score, kind=kind)


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of every field: an int of a varint, else its bytes."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        wire = tag & 7
        if wire == VARINT:
            value, at = _varint(data, at)
            yield tag >> 3, value
            continue
        if wire == BYTES:
            size, at = _varint(data, at)
        elif wire in (FIXED32, FIXED64):
            size = 4 if wire == FIXED32 else 8
        else:
            raise ValueError(f"a field has the wire type {wire}")
        if size > len(data) - at:
            raise ValueError("a field extends beyond the end")
        yield tag >> 3, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """An integer of seven bits a byte, lowest first, and the place after it."""
    value = 0
    for shift in range(0, 70, 7):
        if at == len(data):
            raise ValueError("it ends within a number")
        value |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:
            return value, at
    raise ValueError("a number has more than ten bytes")


def _integer(value: int | bytes) -> int:
    """A varint as a signed 32-bit integer."""
    if not isinstance(value, int):
        raise ValueError("a number is written as text")
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value


def _message(value: int | bytes) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError("a text is written as a number")
    return value
