"""Rotary position embedding, rotate-half form (Su et al., arXiv 2104.09864; Hugging Face Llama)."""

from collections.abc import Sequence

import numpy as np

from tercel.numerics.float32 import Float32, add, multiply

__all__ = ["rope_table", "rotate"]


def rope_table(
    positions: int, head_size: int, base: float, factors: Sequence[float] = ()
) -> tuple[Float32, Float32]:
    """Cosines and sines of ``position * base^(-2i/head_size) / factors[i]``.

    No ``factors`` are factors of 1, which is RoPE without scaling.
    Float32 ``[positions, head_size/2]`` each, computed in float64 and rounded once. The image
    contains the table, so that every device uses the same bits.
    """
    frequency = base ** (-np.arange(0, head_size, 2, dtype=np.float64) / head_size)
    if len(factors):
        frequency /= np.asarray(factors, np.float64)
    angle = np.arange(positions, dtype=np.float64)[:, None] * frequency
    return np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)


def rotate(x: Float32, cosine: Float32, sine: Float32) -> Float32:
    """Rotate ``[N, heads, head_size]`` by each node's table rows ``[N, head_size/2]``."""
    half = x.shape[-1] // 2
    a, b = x[..., :half], x[..., half:]
    cosine, sine = cosine[:, None], sine[:, None]
    first = add(multiply(a, cosine), -multiply(b, sine))
    second = add(multiply(b, cosine), multiply(a, sine))
    return np.concatenate([first, second], axis=-1)
