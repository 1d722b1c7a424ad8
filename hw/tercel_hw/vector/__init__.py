"""The vector unit: float32 and int8 rows of K lanes as fused streams."""

from tercel_hw.vector.config import VectorConfig, command_layout

__all__ = ["VectorConfig", "command_layout"]
