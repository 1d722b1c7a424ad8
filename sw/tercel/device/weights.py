"""A model's tensors in the emulator's format."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tercel import numerics
from tercel.image import Image
from tercel.numerics import Quantised
from tercel.numerics.float32 import Float32

__all__ = ["ModelWeights"]

FLOAT_WEIGHTS = 1 << 26
"""Most ternary weights of a model that is stored as float32, which the BLAS needs."""


class ModelWeights:
    """A model's tensors, unpacked from an image; trits are int8, or float32 in small models."""

    def __init__(self, image: Image):
        config = image.config
        dtype = np.float32 if config.ternary_weights <= FLOAT_WEIGHTS else np.int8
        self._matrices: dict[str, npt.NDArray] = {}
        self._row_scales: dict[str, Float32] = {}
        self._gains: dict[str, Float32] = {}
        for segment in image.segments:
            if segment.kind != "ternary":
                continue
            self._matrices[segment.name] = image.ternary(segment.name).astype(dtype, copy=False)
            scales = np.empty(segment.rows, np.float32)
            for part in segment.parts:
                scales[part.slice()] = image.weight_scale(part.name)
            self._row_scales[segment.name] = scales
        for layer in range(config.layers):
            for norm in config.norms():
                name = f"layers.{layer}.{norm}"
                self._gains[name] = image.gain(name)
        self.final_gain = image.gain("norm")
        self._head_rows, self._head_scales = image.rows("head")
        if config.tied_head:
            self._embedding = self._head_rows, self._head_scales
        else:
            self._embedding = image.rows("embedding")
        self._rope = image.rope()

    def gain(self, layer: int, norm: str) -> Float32:
        """A norm's gain, float32 ``[width]``."""
        return self._gains[f"layers.{layer}.{norm}"]

    def linear(self, layer: int, name: str, x: Quantised) -> Float32:
        """A ternary segment's outputs, float32 ``[N, rows]`` in segment row order."""
        segment = f"layers.{layer}.{name}"
        sums = numerics.ternary_linear(self._matrices[segment], x.values)
        scale = numerics.multiply(x.scale[:, None], self._row_scales[segment])
        return numerics.dequantise(sums, scale)

    def embed(self, tokens: Sequence[int]) -> Float32:
        """Dequantised embedding rows, float32 ``[N, hidden_size]``."""
        rows, scales = self._embedding
        ids = np.asarray(tokens, np.int64)
        return numerics.dequantise(rows[ids].astype(np.int32), scales[ids, None])

    def rope(self, positions: Sequence[int]) -> tuple[Float32, Float32]:
        """Cosines and sines of N positions, float32 ``[N, head_size/2]`` each."""
        cosine, sine = self._rope
        where = np.asarray(positions, np.int64)
        return cosine[where], sine[where]

    def head(self, x: Quantised, rows: int) -> Float32:
        """Unscaled logits of the first ``rows`` rows, float32 ``[N, rows]``."""
        return numerics.head_logits(self._head_rows[:rows], self._head_scales[:rows], x)
