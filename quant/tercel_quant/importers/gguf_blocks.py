"""Block formats of GGUF tensors: those of the ``gguf`` library, and those that it lacks.

Blocks of the latter have one float16 scale.
"""

import abc
from dataclasses import dataclass

import gguf
import numpy as np
import numpy.typing as npt

__all__ = ["BaseThree", "Bits", "BlockFormat", "LibraryBlocks"]


class BlockFormat(abc.ABC):
    """A format of blocks of consecutive weights of a row."""

    weights: int
    """Weights of a block."""

    @property
    @abc.abstractmethod
    def size(self) -> int:
        """Bytes of a block."""

    @abc.abstractmethod
    def decode(self, blocks: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Dequantise blocks.

        Parameters
        ----------
        blocks : uint8, shape (blocks, size)

        Returns
        -------
        float32, shape (blocks, weights)
        """


class LibraryBlocks(BlockFormat):
    """A format that the ``gguf`` library dequantises."""

    def __init__(self, kind: gguf.GGMLQuantizationType):
        self._kind = kind
        self.weights, self._size = gguf.GGML_QUANT_SIZES[kind]

    @property
    def size(self) -> int:
        return self._size

    def decode(self, blocks: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        return gguf.dequantize(blocks, self._kind).astype(np.float32, copy=False)


@dataclass(frozen=True, kw_only=True)
class Bits(BlockFormat):
    """The scale, then codes of ``width`` bits, the first weight in the lowest bits of its byte.

    A weight is ``scale * (step * code + lowest)``. Q1_0 has one bit for -1 and 1; Q2_0 and PQ2_0
    have two for -1 to 2, of which ternary models use the first three.
    """

    weights: int
    width: int
    step: int
    lowest: int

    @property
    def size(self) -> int:
        return 2 + self.weights * self.width // 8

    def decode(self, blocks: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        shifts = np.arange(0, 8, self.width, dtype=np.uint8)
        codes = (blocks[:, 2:, None] >> shifts) & np.uint8((1 << self.width) - 1)
        values = codes.reshape(len(blocks), -1).astype(np.float32)
        return (values * np.float32(self.step) + np.float32(self.lowest)) * _scale(blocks[:, :2])


@dataclass(frozen=True, kw_only=True)
class BaseThree(BlockFormat):
    """Trits as base-3 fractions of a byte, then the scale: TQ1_0 and PTQ1_0.

    The bytes form runs. Byte b of a run of n bytes holds the weights b, b + n, b + 2n, ... of the
    run as the digits of a fraction: the next trit plus one is the integer part of three times the
    fraction, which is a byte over 256.
    """

    weights: int
    runs: tuple[tuple[int, int], ...]
    """Bytes and trits a byte of every run, in their order."""

    @property
    def size(self) -> int:
        return sum(length for length, _ in self.runs) + 2

    def decode(self, blocks: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        parts, start = [], 0
        for length, digits in self.runs:
            fractions = blocks[:, start : start + length].astype(np.uint16)
            start += length
            for _ in range(digits):
                fractions = fractions * np.uint16(3)
                parts.append(fractions >> 8)
                fractions = fractions & np.uint16(255)
        trits = np.concatenate(parts, axis=1).astype(np.float32) - np.float32(1)
        return trits * _scale(blocks[:, start:])


def _scale(pairs: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Little-endian float16 scales of blocks as float32, shape (blocks, 1)."""
    return np.ascontiguousarray(pairs).view("<f2").astype(np.float32)
