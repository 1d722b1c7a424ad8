"""Zero rows and columns that widen attention heads to a size that the device takes."""

import math
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor

from tercel.config import ModelConfig
from tercel_quant.importers.ternary import Ternary

__all__ = ["HeadPadding"]

W = TypeVar("W", Tensor, Ternary)

MULTIPLE = 16
"""Head sizes of the device are multiples of this."""
ROWS, COLUMNS = ("q", "k", "v"), ("o",)


@dataclass(frozen=True, kw_only=True)
class HeadPadding:
    """Padding of heads of ``size`` elements to ``padded``.

    Both halves of a head, which RoPE pairs, are padded at their ends. The model stays the same:
    zero rows and columns add nothing to any sum, and the square roots of the two sizes' ratio in
    the scale of the queries and in the gain of the norm after attention undo what the larger size
    changes, up to a rounding and to the norm's epsilon, which then counts ``padded / size`` times.
    """

    size: int
    padded: int

    @classmethod
    def of(cls, size: int) -> "HeadPadding | None":
        """The padding to the next possible size; ``None`` if the size is possible or odd."""
        padded = -(-size // MULTIPLE) * MULTIPLE
        return None if padded == size or size % 2 else cls(size=size, padded=padded)

    def rope_factors(self, factors: tuple[float, ...], *, base: float) -> tuple[float, ...]:
        """Divisors of the padded head's frequencies that give those of the narrower head."""
        ratio = 2 / self.size - 2 / self.padded
        given = factors or (1.0,) * (self.size // 2)
        own = tuple(factor * base ** (index * ratio) for index, factor in enumerate(given))
        return own + (1.0,) * ((self.padded - self.size) // 2)

    def source_shape(
        self, part: str, shape: tuple[int, ...], config: ModelConfig
    ) -> tuple[int, ...]:
        """The shape of a layer's tensor before padding; ``shape`` is that of the padded model."""
        narrow = {
            config.q_size: config.heads * self.size,
            config.kv_size: config.kv_heads * self.size,
        }
        if part in ROWS or part == "attention_sub_norm":
            return (narrow[shape[0]], *shape[1:])
        return (shape[0], narrow[shape[1]]) if part in COLUMNS else shape

    def matrix(self, part: str, weight: W) -> W:
        """A layer's matrix, such as ``q``, with padded heads; other matrices as they are.

        A ternary one has no groups: padded columns would move between them.
        """
        factor = math.sqrt(self.padded / self.size) if part == "q" else 1.0
        if isinstance(weight, Ternary):
            scale = weight.scale
            if isinstance(scale, Tensor) and part in ROWS:
                scale = self._widen(scale, 0)
            return replace(weight, trits=self._pad(part, weight.trits), scale=scale * factor)
        return self._pad(part, weight) * factor

    def gain(self, part: str, gain: Tensor) -> Tensor:
        """A layer's gain with padded heads, if it is that of ``attention_sub_norm``."""
        if part != "attention_sub_norm":
            return gain
        return self._widen(gain, 0) * math.sqrt(self.size / self.padded)

    def _pad(self, part: str, weight: Tensor) -> Tensor:
        if part in ROWS:
            return self._widen(weight, 0)
        return self._widen(weight, 1) if part in COLUMNS else weight

    def _widen(self, values: Tensor, axis: int) -> Tensor:
        """``values`` with zeros after every half head along ``axis``."""
        half, wide = self.size // 2, self.padded // 2
        halves = values.unflatten(axis, (-1, half))
        shape = list(halves.shape)
        shape[axis + 1] = wide
        padded = torch.zeros(shape, dtype=values.dtype)
        padded.narrow(axis + 1, 0, half).copy_(halves)
        return padded.flatten(axis, axis + 1)
