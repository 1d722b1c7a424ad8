"""Ranges of the numbers that describe a model.

Wider than any published model, narrow enough that nothing made of them before the tensors are
checked takes long or much memory.
"""

from tercel_quant.importers.fields import Integer, Number

__all__ = ["CONTEXT", "EPSILON", "LAYERS", "ROPE_BASE", "TOKEN", "VOCABULARY", "WIDTH"]

LAYERS = Integer(1, 1024)
WIDTH = Integer(1, 1 << 20)
"""Of a vector, or a number of heads."""
VOCABULARY = Integer(1, 1 << 24)
CONTEXT = Integer(1, (1 << 31) - 1)
TOKEN = Integer(0, (1 << 24) - 1)
ROPE_BASE = Number(1, 1e12)
EPSILON = Number(0, 1)
