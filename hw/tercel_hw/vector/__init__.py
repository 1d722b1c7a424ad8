"""The vector unit: float32 and int8 rows of K lanes as fused streams."""

from tercel_hw.vector.config import VectorConfig, command_layout
from tercel_hw.vector.loads import element_layout, table_layout
from tercel_hw.vector.rotary import Rotary

__all__ = ["Rotary", "VectorConfig", "command_layout", "element_layout", "table_layout"]
