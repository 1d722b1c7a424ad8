"""Arithmetic of trained heads in float32: activations, and products with embeddings as tables."""

import numpy as np
import numpy.typing as npt

from tercel.image import Image

__all__ = ["Vector", "normalise", "silu", "token_table"]

Vector = npt.NDArray[np.float32]
EPSILON = 1e-6


def normalise(hidden: Vector) -> Vector:
    """A hidden state ``[hidden_size]`` divided by its root mean square: the heads' input."""
    return hidden * np.float32((float(hidden @ hidden) / len(hidden) + EPSILON) ** -0.5)


def silu(x: Vector) -> Vector:
    """``x / (1 + exp(-x))`` of each element."""
    gates: Vector = np.exp(-x)
    gates += 1
    np.divide(x, gates, out=gates)
    return gates


def token_table(image: Image, matrix: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Products of the embeddings of all tokens and a matrix ``[hidden_size, columns]``.

    Returns
    -------
    float32 ``[vocabulary, columns]``: a lookup in place of a product for each drafted token.
    """
    rows = image.float_rows("embedding")
    table = np.empty((len(rows), matrix.shape[1]), np.float32)
    return np.matmul(rows, matrix, out=table)
