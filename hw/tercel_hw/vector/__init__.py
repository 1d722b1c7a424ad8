"""The vector unit: float32 and int8 rows of K lanes as fused streams."""

from tercel_hw.vector.activation_store import ActivationStore
from tercel_hw.vector.config import VectorConfig, command_layout
from tercel_hw.vector.dequantiser import Dequantiser
from tercel_hw.vector.gate import Gate
from tercel_hw.vector.head_norm import HeadNorm
from tercel_hw.vector.head_quantiser import HeadQuantiser
from tercel_hw.vector.loads import element_layout, table_layout
from tercel_hw.vector.residual import Residual
from tercel_hw.vector.rotary import Rotary
from tercel_hw.vector.row_loader import RowLoader
from tercel_hw.vector.row_quantiser import RowQuantiser

__all__ = [
    "ActivationStore",
    "Dequantiser",
    "Gate",
    "HeadNorm",
    "HeadQuantiser",
    "Residual",
    "Rotary",
    "RowLoader",
    "RowQuantiser",
    "VectorConfig",
    "command_layout",
    "element_layout",
    "table_layout",
]
