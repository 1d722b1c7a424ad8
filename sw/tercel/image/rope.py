"""The table of the rotary position embedding."""

import numpy as np
import numpy.typing as npt

from tercel.config import ModelConfig

__all__ = ["rope_table"]


def rope_table(config: ModelConfig) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Cosines and sines, float32 ``[context, head_size / 2]`` each.

    The angle of a position and a pair ``i`` is ``position * rope_base**(-2 * i / head_size)`` in
    float64; its cosine and sine are rounded to float32 once.
    """
    half = config.head_size // 2
    frequencies = float(config.rope_base) ** (-2.0 * np.arange(half) / config.head_size)
    angles = np.arange(config.context)[:, None] * frequencies
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
