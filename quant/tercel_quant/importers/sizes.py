"""Allowed ranges of a model's dimensions.

They include every published model and limit the time and memory spent before the tensors are
checked.
"""

from tercel_quant.importers.fields import Integer, Number

__all__ = ["CONTEXT", "EPSILON", "LAYERS", "ROPE_BASE", "TOKEN", "VOCABULARY", "WIDTH"]

LAYERS = Integer(1, 1024)
WIDTH = Integer(1, 1 << 20)
"""Width of a vector, or number of heads."""
VOCABULARY = Integer(1, 1 << 24)
CONTEXT = Integer(1, (1 << 31) - 1)
TOKEN = Integer(0, (1 << 24) - 1)
ROPE_BASE = Number(1, 1e12)
EPSILON = Number(0, 1)
