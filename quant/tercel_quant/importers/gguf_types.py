"""Types of GGUF tensors: their sizes and their values."""

import abc
import math

import gguf
import numpy as np
import numpy.typing as npt

from tercel.errors import TercelError
from tercel_quant.importers.gguf_blocks import BaseThree, Bits, BlockFormat, LibraryBlocks
from tercel_quant.importers.gguf_i2s import I2S_LAYOUTS, I2sLayout

__all__ = ["Blocks", "I2s", "TensorType", "candidate_types", "type_name"]

REMEDY = "convert the file to TQ2_0, Q8_0 or a float type with the program that wrote it"

CHUNK = 1 << 22
"""Weights that are dequantised together, which limits the memory for temporary values."""


class TensorType(abc.ABC):
    """A type of tensors in one of its layouts."""

    @abc.abstractmethod
    def size(self, shape: tuple[int, ...]) -> int:
        """Bytes of a tensor, without the padding after it.

        Raises
        ------
        TercelError
            If the type has no tensors of this shape.
        """

    @abc.abstractmethod
    def decode(
        self, data: npt.NDArray[np.uint8], shape: tuple[int, ...]
    ) -> npt.NDArray[np.float32]:
        """The values of a tensor.

        Parameters
        ----------
        data : uint8, shape (size(shape),)
        shape

        Raises
        ------
        TercelError
            If the data holds a code that the type does not have.
        """


class Blocks(TensorType):
    """A type whose rows are blocks of equal size."""

    def __init__(self, form: BlockFormat):
        self._form = form

    def size(self, shape: tuple[int, ...]) -> int:
        if shape[-1] % self._form.weights:
            raise TercelError(
                f"must have rows of a multiple of {self._form.weights} weights, not {shape[-1]}"
            )
        return math.prod(shape) // self._form.weights * self._form.size

    def decode(
        self, data: npt.NDArray[np.uint8], shape: tuple[int, ...]
    ) -> npt.NDArray[np.float32]:
        blocks = data.reshape(-1, self._form.size)
        values = np.empty((len(blocks), self._form.weights), np.float32)
        step = CHUNK // self._form.weights
        for start in range(0, len(blocks), step):
            # A copy in memory: the file is mapped.
            part = np.array(blocks[start : start + step])
            values[start : start + step] = self._form.decode(part)
        return values.reshape(shape)


class I2s(TensorType):
    """I2_S of bitnet.cpp: two-bit codes, then one float32 scale in the first of 32 bytes."""

    TAIL = 32

    def __init__(self, layout: I2sLayout):
        self.layout = layout

    def size(self, shape: tuple[int, ...]) -> int:
        count = math.prod(shape)
        self.layout.check(count // shape[-1], shape[-1])
        return count // 4 + self.TAIL

    def decode(
        self, data: npt.NDArray[np.uint8], shape: tuple[int, ...]
    ) -> npt.NDArray[np.float32]:
        codes = data[: -self.TAIL]
        scale = np.array(data[-self.TAIL :][:4]).view("<f4")[0]
        width = shape[-1]
        values = np.empty((math.prod(shape) // width, width), np.float32)
        rows = self.layout.rows_of_units(width)
        step = max(1, CHUNK // (rows * width)) * rows
        for start in range(0, len(values), step):
            part = values[start : start + step]
            packed = np.array(codes[start * width // 4 :][: part.size // 4])
            np.multiply(self.layout.trits(packed, width), scale, out=part)
        return values.reshape(shape)


OWN: dict[int, tuple[str, tuple[TensorType, ...]]] = {
    36: ("I2_S", tuple(I2s(layout) for layout in I2S_LAYOUTS.values())),
    41: ("Q1_0", (Blocks(Bits(weights=128, width=1, step=2, lowest=-1)),)),
    42: (
        "Q2_0",
        tuple(Blocks(Bits(weights=group, width=2, step=1, lowest=-1)) for group in (64, 128)),
    ),
    142: ("PQ2_0", (Blocks(Bits(weights=128, width=2, step=1, lowest=-1)),)),
    143: ("PTQ1_0", (Blocks(BaseThree(weights=128, runs=((16, 5), (8, 5), (2, 4)))),)),
}
"""Name and possible layouts of the types that ``gguf`` does not dequantise, by number.

36 is of bitnet.cpp, 41 and 42 of llama.cpp, 142 and 143 of Prism's fork, whose older files have
groups of 128 under 42.
"""

FOREIGN_NAMES = {37: "I8_S", 38: "TL1"}
"""Types of bitnet.cpp that are not read; its TL2 has the number of MXFP4."""


def type_name(kind: int) -> str:
    """The name of a tensor type."""
    if kind in OWN:
        return OWN[kind][0]
    try:
        return gguf.GGMLQuantizationType(kind).name
    except ValueError:
        return FOREIGN_NAMES.get(kind, f"type {kind}")


def candidate_types(kind: int) -> tuple[TensorType, ...]:
    """The layouts that tensors of a type may have.

    Raises
    ------
    TercelError
        If the type is unknown or cannot be dequantised.
    """
    if kind in OWN:
        return OWN[kind][1]
    try:
        known = gguf.GGMLQuantizationType(kind)
    except ValueError:
        called = f" ({FOREIGN_NAMES[kind]})" if kind in FOREIGN_NAMES else ""
        raise TercelError(f"has the type {kind}{called}, which is not read; {REMEDY}") from None
    form = LibraryBlocks(known)
    try:
        form.decode(np.zeros((1, form.size), np.uint8))
    except NotImplementedError:
        raise TercelError(
            f"has the type {kind} ({known.name}), which cannot be dequantised; {REMEDY}"
        ) from None
    return (Blocks(form),)
