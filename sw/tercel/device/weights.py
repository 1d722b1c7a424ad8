"""A model's tensors as the emulator multiplies them."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tercel import numerics
from tercel.device.interface import Ask
from tercel.image import Image
from tercel.numerics import Quantised
from tercel.numerics.float32 import Float32

__all__ = ["ModelWeights"]

FLOAT_WEIGHTS = 1 << 26
"""Models up to this many ternary weights are held as float32, which the BLAS takes as it is."""


class ModelWeights:
    """Unpacked once from the image: a trit is a byte, or a float32 in small models."""

    def __init__(self, image: Image):
        config = image.config
        self._image = image
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

    def embed(self, tokens: npt.NDArray[np.int64]) -> Float32:
        """The tokens' residual streams, float32 ``[N, hidden_size]``."""
        rows, scales = self._embedding
        return numerics.dequantise(rows[tokens].astype(np.int32), scales[tokens, None])

    def rope(self, positions: npt.NDArray[np.int64]) -> tuple[Float32, Float32]:
        """Cosines and sines, float32 ``[N, head_size/2]`` each."""
        cosine, sine = self._rope
        return cosine[positions], sine[positions]

    def head(self, x: Quantised, rows: int | None) -> Float32:
        """Unscaled logits of the first ``rows`` rows, float32 ``[N, rows]``."""
        return numerics.head_logits(self._head_rows[:rows], self._head_scales[:rows], x)

    def bytes_read(self, nodes: int, mask: Sequence[tuple[bool, bool]], ask: Ask) -> int:
        """Bytes of the tape that a pass plays or fetches."""
        return self._image.bytes_per_pass(
            nodes=nodes,
            layer_mask=mask,
            head_rows=ask.head_rows if ask.needs_head else 0,
        )
