"""Tensors of a GGUF file: the layout of each is decided from its place, then it is read."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from tercel.errors import TercelError
from tercel_quant.importers.gguf_header import GgufHeader, TensorEntry
from tercel_quant.importers.gguf_types import (
    CHUNK,
    Blocks,
    TensorType,
    candidate_types,
    type_name,
)

__all__ = ["GgufTensors"]


class GgufTensors:
    """The tensors of a file, one in memory at a time.

    Tensors lie one after the other, each padded to the file's alignment, so the space of a tensor
    tells its size. Where layouts of different sizes share a type's number, this decides.

    Parameters
    ----------
    data : uint8
        The whole file, mapped.
    header : GgufHeader

    Members
    -------
    entries : mapping of str to TensorEntry
    layouts : dict of int to tuple of TensorType
        The possible layouts of every type in the file: one, unless layouts of equal size share its
        number.

    Raises
    ------
    TercelError
        If a type is unknown or cannot be dequantised, rows are not whole blocks, or a tensor does
        not fill its space.
    """

    def __init__(self, data: npt.NDArray[np.uint8], header: GgufHeader):
        self._data = data
        self.entries: Mapping[str, TensorEntry] = header.tensors
        spaces = _spaces(header.tensors, len(data))
        self.layouts: dict[int, tuple[TensorType, ...]] = {}
        for kind in sorted({entry.kind for entry in header.tensors.values()}):
            tensors = {n: e for n, e in header.tensors.items() if e.kind == kind}
            self.layouts[kind] = _fitting(tensors, spaces, header.alignment)

    def read(self, name: str, layout: TensorType | None = None) -> npt.NDArray[np.float32]:
        """The values of a tensor in its shape.

        Parameters
        ----------
        name
        layout : TensorType, optional
            One of the possible layouts of its type; by default the first.

        Raises
        ------
        TercelError
            If the tensor holds a code that its type does not have.
        """
        entry = self.entries[name]
        layout = layout or self.layouts[entry.kind][0]
        part = self._data[entry.offset :][: layout.size(entry.shape)]
        try:
            return layout.decode(part, entry.shape)
        except TercelError as error:
            raise TercelError(f"{name} {error}") from None

    def are_copies(self, name: str, other: str) -> bool:
        """True if two tensors have the same type, shape and bytes."""
        one, two = self.entries[name], self.entries[other]
        if (one.kind, one.shape) != (two.kind, two.shape):
            return False
        size = self.layouts[one.kind][0].size(one.shape)
        parts = (self._data[entry.offset :][:size] for entry in (one, two))
        chunks = zip(*(np.split(part, range(CHUNK, size, CHUNK)) for part in parts), strict=True)
        return all(np.array_equal(*pair) for pair in chunks)

    def has_whole_rows(self, name: str) -> bool:
        """True if some rows of a matrix can be read by themselves."""
        layout, *others = self.layouts[self.entries[name].kind]
        return isinstance(layout, Blocks) and not others

    def read_rows(self, name: str, start: int, stop: int) -> npt.NDArray[np.float32]:
        """Rows ``start`` to ``stop`` of a matrix that :meth:`has_whole_rows`."""
        entry = self.entries[name]
        (layout,) = self.layouts[entry.kind]
        columns = entry.shape[-1]
        first = entry.offset + start * layout.size((1, columns))
        shape = (stop - start, columns)
        return layout.decode(self._data[first:][: layout.size(shape)], shape)


def _spaces(tensors: Mapping[str, TensorEntry], file_bytes: int) -> dict[str, int]:
    """Bytes from the start of each tensor to that of the next, or to the end of the file.

    The space of a tensor that starts behind the end is negative.
    """
    order = sorted(tensors, key=lambda name: tensors[name].offset)
    starts = [tensors[name].offset for name in order]
    ends = [min(end, file_bytes) for end in [*starts[1:], file_bytes]]
    return {n: end - start for n, start, end in zip(order, starts, ends, strict=True)}


def _fitting(
    tensors: Mapping[str, TensorEntry], spaces: Mapping[str, int], alignment: int
) -> tuple[TensorType, ...]:
    """The layouts with which all tensors of one type fill their spaces.

    Raises
    ------
    TercelError
        If there are none, or several of different sizes.
    """
    first, entry = next(iter(tensors.items()))
    try:
        candidates = candidate_types(entry.kind)
    except TercelError as error:
        raise TercelError(f"{first} {error}") from None
    faults: list[str] = []
    found: list[TensorType] = []
    for layout in candidates:
        try:
            for name, one in tensors.items():
                _check_space(one, layout, spaces[name], alignment)
            found.append(layout)
        except TercelError as error:
            faults.append(f"{name} of the type {type_name(entry.kind)} {error}")
    if not found:
        raise TercelError(faults[0])
    if len({layout.size(entry.shape) for layout in found}) > 1:
        raise TercelError(
            f"{first} has the type {type_name(entry.kind)}, whose block size is told by the space "
            "of the tensors, but both fit; the file is too small to be a model"
        )
    return tuple(found)


def _check_space(entry: TensorEntry, layout: TensorType, space: int, alignment: int) -> None:
    """Check that a tensor in a layout fills its space but for the padding."""
    size = layout.size(entry.shape)
    if space < 0 or size > space:
        raise TercelError(
            f"takes {size} bytes, but {max(0, space)} lie before the next tensor or the end of the "
            "file, which is damaged or cut short"
        )
    if space - size >= alignment:
        raise TercelError(
            f"takes {size} bytes, but {space} lie before the next tensor or the end of the file, "
            f"so the program that wrote it has another type of the number {entry.kind}"
        )
