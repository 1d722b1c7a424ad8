"""A model whose passes take little time in simulation."""

from tercel.config import ModelConfig

LITTLE_MODEL = ModelConfig(
    name="little",
    layers=2,
    hidden_size=32,
    ffn_size=40,
    heads=4,
    kv_heads=2,
    head_size=16,
    vocab_size=48,
    context=64,
)
"""Two layers that take a pass about three thousand cycles."""
