"""Comparison of an image with its checkpoint in transformers, layer by layer."""

from tercel_quant.compare.comparison import Block, Comparison, compare

__all__ = ["Block", "Comparison", "compare"]
