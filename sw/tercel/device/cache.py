"""The KV cache of one sequence, in the accelerator's layout."""

from collections.abc import Sequence

import numpy as np

from tercel.config import ModelConfig
from tercel.numerics import CacheView, quantise_cache
from tercel.numerics.float32 import Float32

__all__ = ["KVCache"]


class KVCache:
    """Int8 keys and values ``[layer][kv head][position][head size]`` with bfloat16 scales."""

    def __init__(self, *, config: ModelConfig, positions: int):
        heads = (config.layers, config.kv_heads, positions)
        self._keys = np.zeros((*heads, config.head_size), np.int8)
        self._values = np.zeros((*heads, config.head_size), np.int8)
        self._key_scales = np.zeros(heads, np.uint16)
        self._value_scales = np.zeros(heads, np.uint16)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Layers, KV heads, positions, head size."""
        layers, heads, positions, size = self._keys.shape
        return layers, heads, positions, size

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """Arrays by name, not copied.

        ``keys`` and ``values`` are int8 ``[layers, kv_heads, positions, head_size]``, their scales
        ``key_scales`` and ``value_scales`` uint16 ``[layers, kv_heads, positions]``: bfloat16 bits.
        """
        return {
            "keys": self._keys,
            "values": self._values,
            "key_scales": self._key_scales,
            "value_scales": self._value_scales,
        }

    @staticmethod
    def position_bytes(config: ModelConfig) -> int:
        """Bytes of one layer's keys, values and scales at one position."""
        return config.kv_heads * 2 * (config.head_size + 2)

    def write(
        self,
        layer: int,
        slot: int,
        keys: Float32,
        values: Float32,
        key_factor: Float32 | None = None,
    ) -> None:
        """Quantise float32 ``[N, kv_heads, head_size]`` into the positions from ``slot`` on.

        ``key_factor`` ``[N, kv_heads]``, if any, is multiplied into the keys.
        """
        nodes = slice(slot, slot + len(keys))
        for rows, factor, data, scales in (
            (keys, key_factor, self._keys, self._key_scales),
            (values, None, self._values, self._value_scales),
        ):
            quantised, scale = quantise_cache(rows, factor)
            data[layer, :, nodes] = quantised.transpose(1, 0, 2)
            scales[layer, :, nodes] = scale.T

    def store(self, layer: int, rows: CacheView) -> None:
        """Copy quantised rows into the first positions of a layer."""
        positions = slice(rows.keys.shape[1])
        self._keys[layer, :, positions] = rows.keys
        self._values[layer, :, positions] = rows.values
        self._key_scales[layer, :, positions] = rows.key_scales
        self._value_scales[layer, :, positions] = rows.value_scales

    def view(self, layer: int, positions: int) -> CacheView:
        """The first ``positions`` of a layer, not copied."""
        return CacheView(
            keys=self._keys[layer, :, :positions],
            key_scales=self._key_scales[layer, :, :positions],
            values=self._values[layer, :, :positions],
            value_scales=self._value_scales[layer, :, :positions],
        )

    def gather(self, base: int, path: Sequence[int]) -> None:
        """Move the rows ``base + path[i]`` to ``base + i``."""
        source = base + np.asarray(path)
        target = slice(base, base + len(path))
        for array in self.arrays.values():
            array[:, :, target] = array[:, :, source]
