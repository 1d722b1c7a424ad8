"""What all layers share of the positions: RoPE, and what each position sees."""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from tercel_export.model_tensors import ModelTensors
from tercel_export.onnx.graph import GraphTape

__all__ = ["Positions", "fixed_positions", "free_positions"]


@dataclass(frozen=True, kw_only=True)
class Positions:
    """Values that the attention of every layer takes."""

    visible: ir.Value
    """bool ``[batch, 1, 1, sequence, total]``."""
    cosine: ir.Value
    """float32 ``[batch, sequence, 1, head_size / 2]``."""
    sine: ir.Value


def free_positions(
    graph: GraphTape,
    model: ModelTensors,
    *,
    input_ids: ir.Value,
    attention_mask: ir.Value,
    position_ids: ir.Value,
) -> Positions:
    """Positions that the inputs of a pass tell; the RoPE table becomes two initializers.

    Parameters
    ----------
    input_ids, attention_mask, position_ids
        int64 ``[batch, sequence]``, ``[batch, total]`` and ``[batch, sequence]``.
    """
    shape = (model.config.context, model.config.head_size // 2)
    cosine = graph.tensor("rope.cosine", shape, lambda: model.rope()[0])
    sine = graph.tensor("rope.sine", shape, lambda: model.rope()[1])
    return Positions(
        visible=_visible(graph, input_ids, attention_mask),
        cosine=graph.unsqueeze(graph.op("Gather", cosine, position_ids), 2),
        sine=graph.unsqueeze(graph.op("Gather", sine, position_ids), 2),
    )


def fixed_positions(graph: GraphTape, model: ModelTensors, sequence: int) -> Positions:
    """The first ``sequence`` positions of one text, as constants."""
    cosine, sine = (table[None, :sequence, None] for table in model.rope())
    causal = np.tril(np.ones((sequence, sequence), bool))
    return Positions(
        visible=graph.constant(causal[None, None, None], np.bool_),
        cosine=graph.constant(cosine),
        sine=graph.constant(sine),
    )


def _visible(graph: GraphTape, input_ids: ir.Value, attention_mask: ir.Value) -> ir.Value:
    """A query sees what the mask allows, up to its own place; the last place is the last."""

    def extent(x: ir.Value) -> ir.Value:
        return graph.op("Squeeze", graph.op("Shape", x, start=1, end=2))

    zero, one = graph.constant(0, np.int64), graph.constant(1, np.int64)
    total = extent(attention_mask)
    first = graph.op("Sub", total, extent(input_ids))
    keys = graph.op("Range", zero, total, one)
    queries = graph.unsqueeze(graph.op("Range", first, total, one), 1)
    causal = graph.op("LessOrEqual", keys, queries)
    allowed = graph.unsqueeze(graph.cast(attention_mask, ir.DataType.BOOL), 1)
    return graph.unsqueeze(graph.op("And", causal, allowed), 1, 2)
