"""Arithmetic of an exported graph between its products."""

import abc
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from tercel.config import ModelConfig
from tercel_export.onnx.graph import GraphTape

__all__ = ["LIMIT", "Activations", "Arithmetic"]

LIMIT = 127


@dataclass(frozen=True, kw_only=True)
class Activations:
    """Int8 rows with a scale each, as in :class:`tercel.numerics.Quantised`."""

    values: ir.Value
    """Integers in -127..127 as float32, ``[..., n]``."""
    scale: ir.Value
    """float32 ``[..., 1]``."""


class Arithmetic(abc.ABC):
    """Quantisation, activation and attention, recorded in a graph.

    Parameters
    ----------
    graph
    config
        The model's shape.
    """

    def __init__(self, graph: GraphTape, config: ModelConfig):
        self._graph = graph
        self._config = config

    @abc.abstractmethod
    def quantise(self, x: ir.Value, name: str | None = None) -> Activations:
        """Absmax int8 over the last axis; ``name`` is that of the integers."""

    @abc.abstractmethod
    def inverse_rms(self, x: ir.Value, width: int) -> ir.Value:
        """The inverse root mean square of ``[..., width]``, float32 ``[..., 1]``."""

    @abc.abstractmethod
    def silu(self, x: ir.Value) -> ir.Value: ...

    @abc.abstractmethod
    def cached(self, x: ir.Value, name: str) -> ir.Value:
        """Rows of keys or values in the form in which the cache holds them, float32."""

    @abc.abstractmethod
    def attend(self, q: ir.Value, keys: ir.Value, values: ir.Value, visible: ir.Value) -> ir.Value:
        """Attention of all heads.

        Parameters
        ----------
        q
            float32 ``[batch, kv_heads, heads / kv_heads, sequence, head_size]``.
        keys, values
            float32 ``[batch, kv_heads, 1, total, head_size]``, of :meth:`cached`.
        visible
            bool ``[batch, 1, 1, sequence, total]``.

        Returns
        -------
        float32, the shape of ``q``
        """

    def norm_quantise(self, x: ir.Value, gain: ir.Value, width: int, name: str) -> Activations:
        """RMSNorm with gain, then absmax int8; the root mean square is in the scale alone."""
        row = self.quantise(self._graph.op("Mul", x, gain), name)
        scale = self._graph.op("Mul", row.scale, self.inverse_rms(x, width))
        return Activations(values=row.values, scale=scale)

    def largest(self, x: ir.Value) -> ir.Value:
        """The largest magnitude of the last axis, ``[..., 1]``."""
        graph = self._graph
        axes = graph.constant([-1], np.int64)
        return graph.op("ReduceMax", graph.op("Abs", x), axes, keepdims=1)

    def round(self, x: ir.Value, name: str | None = None) -> ir.Value:
        """Round half to even, saturated at -127 and 127."""
        graph = self._graph
        limits = graph.constant(-LIMIT), graph.constant(LIMIT)
        return graph.op("Clip", graph.op("Round", x), *limits, name=name)
