"""Arrays of trained drafters: matrices in int8 with a scale per row, and what is small as it is."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from tercel.errors import TercelError

__all__ = ["read_array", "read_matrix", "write_matrix"]

LIMIT = 127


def write_matrix(name: str, matrix: npt.NDArray[np.floating]) -> dict[str, npt.NDArray]:
    """Round a matrix ``[rows, columns]`` to the two arrays that :func:`read_matrix` reads."""
    largest = np.abs(matrix).max(axis=1, keepdims=True)
    scale = np.where(largest > 0, largest, 1).astype(np.float32) / LIMIT
    values = np.rint(matrix / scale).clip(-LIMIT, LIMIT).astype(np.int8)
    return {name: values, f"{name}.scale": scale[:, 0]}


def read_array(tensors: Mapping[str, npt.NDArray], name: str) -> npt.NDArray:
    """A copy of the array of a name.

    Raises
    ------
    TercelError
        If the file has none.
    """
    if name not in tensors:
        raise TercelError(f"the file has no array {name!r}; train the drafter again")
    return np.array(tensors[name])


def read_matrix(tensors: Mapping[str, npt.NDArray], name: str) -> npt.NDArray[np.float32]:
    """The matrix of a name, in the float32 that the BLAS needs.

    Raises
    ------
    TercelError
        If the file has none.
    """
    values, scale = read_array(tensors, name), read_array(tensors, f"{name}.scale")
    return values.astype(np.float32) * scale[:, None]
