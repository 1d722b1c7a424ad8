"""A model's tensors in the emulator's format."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from tercel import numerics
from tercel.image import Image, Segment
from tercel.numerics import BlockQuantised, Quantised
from tercel.numerics.float32 import Float32

__all__ = ["ModelWeights"]

FLOAT_WEIGHTS = 1 << 26
"""Most ternary weights of a model that is stored as float32, which the BLAS needs."""


class ModelWeights:
    """A model's tensors, unpacked from an image; trits are int8, or float32 in small models."""

    def __init__(self, image: Image):
        config = image.config
        dtype = np.float32 if config.ternary_weights <= FLOAT_WEIGHTS else np.int8
        self._image = image
        self._dtype = dtype
        self._matrices: dict[str, _Matrix] = {}
        self._gains: dict[str, Float32] = {}
        for segment in image.segments:
            if segment.ternary and segment.name != "shortlist":
                self._matrices[segment.name] = self._matrix(segment)
        for layer in range(config.layers):
            for norm in config.norms():
                name = f"layers.{layer}.{norm}"
                self._gains[name] = image.gain(name)
        self.final_gain = image.gain("norm")
        if config.ternary_head:
            self._head = self._matrices["head"]
            self._embedding = self._matrices["head" if config.tied_head else "embedding"]
        else:
            self._head = _Rows(*image.rows("head"))
            self._embedding = self._head if config.tied_head else _Rows(*image.rows("embedding"))
        self._rope = image.rope()

    def _matrix(self, segment: Segment) -> "_Matrix":
        """Unpack a ternary segment."""
        name, grouped = segment.name, segment.granularity == "group"
        return _Matrix(
            trits=self._image.ternary(name).astype(self._dtype, copy=False),
            multipliers=self._image.multipliers(name) if grouped else None,
            row_scales=self._image.row_scales(name),
        )

    @cached_property
    def _shortlist(self) -> "_Matrix":
        """The ternary form of the head, unpacked by the first pass with a two-stage head."""
        return self._matrix(self._image.segment("shortlist"))

    def gain(self, layer: int, norm: str) -> Float32:
        """A norm's gain, float32 ``[width]``."""
        return self._gains[f"layers.{layer}.{norm}"]

    def linear(self, layer: int, name: str, x: Quantised | BlockQuantised) -> Float32:
        """A ternary segment's outputs, float32 ``[N, rows]`` in segment row order."""
        matrix = self._matrices[f"layers.{layer}.{name}"]
        scale = numerics.multiply(x.scale[:, None], matrix.row_scales)
        return numerics.dequantise(matrix.sums(x), scale)

    def embed(self, tokens: Sequence[int]) -> Float32:
        """Dequantised embedding rows, float32 ``[N, hidden_size]``."""
        return self._embedding.floats(np.asarray(tokens, np.int64))

    def rope(self, positions: Sequence[int]) -> tuple[Float32, Float32]:
        """Cosines and sines of N positions, float32 ``[N, head_size/2]`` each."""
        cosine, sine = self._rope
        where = np.asarray(positions, np.int64)
        return cosine[where], sine[where]

    def head(self, x: Quantised | BlockQuantised, rows: int) -> Float32:
        """Unscaled logits of the first ``rows`` rows, float32 ``[N, rows]``."""
        return self._head.unscaled(x, rows)

    def listed(self, x: Quantised, rows: int) -> tuple[npt.NDArray[np.int32], Float32]:
        """Each node's shortlist among the first ``rows`` rows, and its exact unscaled logits.

        int32 and float32 ``[N, listed]``, in the order of the list.
        """
        assert isinstance(self._head, _Rows)
        scores = self._shortlist.unscaled(x, rows)
        lists = numerics.shortlist(scores, self._image.config.shortlist)
        exact = [self._head.at(ids, x.at(slice(node, node + 1))) for node, ids in enumerate(lists)]
        return lists, np.concatenate(exact)


@dataclass(frozen=True, kw_only=True)
class _Matrix:
    """A ternary matrix; with multipliers its inputs have block shifts."""

    trits: npt.NDArray
    """int8, or float32 for speed."""
    multipliers: npt.NDArray[np.uint16] | None
    row_scales: Float32

    def sums(self, x: Quantised | BlockQuantised) -> npt.NDArray[np.int32] | npt.NDArray[np.int64]:
        """Exact sums ``[N, rows]``."""
        if self.multipliers is None:
            return numerics.ternary_linear(self.trits, x.values)
        assert isinstance(x, BlockQuantised)
        return numerics.grouped_linear(self.trits, self.multipliers, x)

    def unscaled(self, x: Quantised | BlockQuantised, rows: int) -> Float32:
        """Unscaled logits of the first ``rows`` rows of a head."""
        return numerics.dequantise(self.first(rows).sums(x), self.row_scales[:rows])

    def first(self, rows: int) -> "_Matrix":
        """The first ``rows`` rows."""
        multipliers = None if self.multipliers is None else self.multipliers[:rows]
        return _Matrix(
            trits=self.trits[:rows], multipliers=multipliers, row_scales=self.row_scales[:rows]
        )

    def floats(self, ids: npt.NDArray[np.int64]) -> Float32:
        """Dequantised rows ``[n, columns]``."""
        assert self.multipliers is not None
        return numerics.grouped_weights(
            self.trits[ids], self.multipliers[ids], self.row_scales[ids]
        )


@dataclass(frozen=True)
class _Rows:
    """Int8 rows with a scale each."""

    values: npt.NDArray[np.int8]
    scales: Float32

    def unscaled(self, x: Quantised | BlockQuantised, rows: int) -> Float32:
        """Unscaled logits of the first ``rows`` rows of a head."""
        assert isinstance(x, Quantised)
        return self.at(slice(rows), x)

    def at(self, rows: slice | npt.NDArray[np.integer], x: Quantised) -> Float32:
        """Unscaled logits of some rows of a head, float32 ``[N, rows]``."""
        return numerics.head_logits(self.values[rows], self.scales[rows], x)

    def floats(self, ids: npt.NDArray[np.int64]) -> Float32:
        """Dequantised rows ``[n, columns]``."""
        return numerics.dequantise(self.values[ids].astype(np.int32), self.scales[ids, None])
