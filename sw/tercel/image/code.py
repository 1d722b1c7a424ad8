"""Weight codes: groups of trits as integers of five or eight bits."""

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tercel.errors import TercelError

__all__ = ["BASE3", "CODES", "INDEX5", "WeightCode"]

LANES = tuple(
    (np.uint64(shift), np.uint64(low), np.uint64(high))
    for shift, low, high in (
        (3, 0x001F001F001F001F, 0x03E003E003E003E0),
        (6, 0x000003FF000003FF, 0x000FFC00000FFC00),
        (12, 0x00000000000FFFFF, 0x000000FFFFF00000),
    )
)
"""Steps that pack eight 5-bit codes, one a byte, into the low 40 bits of a uint64: shift, mask of
the low halves, mask of the high halves after the shift. They join pairs, then fours, then all."""


@functools.cache
def _trits_of_codes(group: int) -> npt.NDArray[np.int8]:
    """int8 ``[256, group]``: the trits of each code; rows of corrupt codes are undefined."""
    table = np.arange(256)[:, None] // 3 ** np.arange(group) % 3 - 1
    table = table.astype(np.int8)
    table.setflags(write=False)
    return table


@dataclass(frozen=True, kw_only=True)
class WeightCode:
    """Groups of trits as base-3 numbers of ``bits`` bits: ``sum((t_i + 1) * 3**i)``.

    The codes of a row-chunk follow each other little-endian, code 0 in the lowest bits of byte 0;
    zero bits fill the last byte.
    """

    name: str
    group: int
    """Trits in a code."""
    bits: int
    """Bits of a code: 5 or 8."""
    tables: int
    """Codes that the kv260 engine consumes in a cycle."""

    @property
    def size(self) -> int:
        """Number of valid codes, ``3**group``; a code at or above it is corrupt."""
        return 3**self.group

    def packed_bytes(self, codes: int) -> int:
        """Bytes of a row-chunk of ``codes`` codes."""
        return -(-codes * self.bits // 8)

    def encode(self, trits: npt.NDArray[np.int8]) -> npt.NDArray[np.uint8]:
        """Codes ``[..., ceil(n / group)]`` of trits ``[..., n]``; zeros fill the last group.

        Raises
        ------
        TercelError
            If the array is not int8, or a value is not -1, 0 or 1.
        """
        if trits.dtype != np.int8:
            raise TercelError(f"trits must be int8, not {trits.dtype}")
        if trits.size and (trits.min() < -1 or trits.max() > 1):
            worst = max(int(trits.min()), int(trits.max()), key=abs)
            raise TercelError(f"trits must be -1, 0 or 1, but one is {worst}")
        if odd := -trits.shape[-1] % self.group:
            trits = np.pad(trits, [(0, 0)] * (trits.ndim - 1) + [(0, odd)])
        digits = np.ascontiguousarray(trits).view(np.uint8)
        digits = digits.reshape(*trits.shape[:-1], -1, self.group)
        # Horner's scheme on t instead of t + 1, modulo 256; the ones are added at the end.
        codes = digits[..., -1].copy()
        for i in reversed(range(self.group - 1)):
            codes *= np.uint8(3)
            codes += digits[..., i]
        codes += np.uint8(self.size // 2)
        return codes

    def decode(self, codes: npt.NDArray[np.uint8]) -> npt.NDArray[np.int8]:
        """Inverse of :meth:`encode`: codes ``[..., m]`` to trits ``[..., m * group]``.

        Raises
        ------
        TercelError
            If a code is corrupt.
        """
        if codes.size and codes.max() >= self.size:
            raise TercelError(
                f"a weight code is corrupt: codes of {self.name} are below {self.size}, "
                f"but one is {codes.max()}"
            )
        trits = _trits_of_codes(self.group).take(codes.reshape(-1), axis=0)
        return trits.reshape(*codes.shape[:-1], -1)

    def pack(self, codes: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Bytes ``[..., packed_bytes(m)]`` of codes ``[..., m]``."""
        if self.bits == 8:
            return codes
        count = codes.shape[-1]
        lanes = np.zeros((*codes.shape[:-1], -(-count // 8) * 8), np.uint8)
        lanes[..., :count] = codes
        words = lanes.view("<u8")
        for shift, low, high in LANES:
            words = words & low | words >> shift & high
        fives = words.view(np.uint8).reshape(*words.shape, 8)[..., :5]
        return fives.reshape(*codes.shape[:-1], -1)[..., : self.packed_bytes(count)]

    def unpack(self, packed: npt.NDArray[np.uint8], count: int) -> npt.NDArray[np.uint8]:
        """Inverse of :meth:`pack`: bytes ``[..., packed_bytes(count)]`` to ``[..., count]`` codes.

        Raises
        ------
        TercelError
            If a filling bit is not zero.
        """
        if self.bits == 8:
            return packed
        if (used := count * self.bits % 8) and np.any(packed[..., -1] >> np.uint8(used)):
            raise TercelError("a row-chunk is corrupt: the bits after its last code are not zero")
        groups = -(-count // 8)
        fives = np.zeros((*packed.shape[:-1], groups * 5), np.uint8)
        fives[..., : packed.shape[-1]] = packed
        lanes = np.zeros((*packed.shape[:-1], groups, 8), np.uint8)
        lanes[..., :5] = fives.reshape(*packed.shape[:-1], groups, 5)
        words = lanes.view("<u8")
        for shift, low, high in reversed(LANES):
            words = words & low | (words & high) << shift
        return words.view(np.uint8).reshape(*packed.shape[:-1], groups * 8)[..., :count]


INDEX5 = WeightCode(name="index5", group=3, bits=5, tables=128)
BASE3 = WeightCode(name="base3", group=5, bits=8, tables=77)
CODES = {code.name: code for code in (INDEX5, BASE3)}
