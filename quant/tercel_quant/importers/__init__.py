"""Reading published checkpoints tensor by tensor, as canonical tensors."""

from tercel_quant.importers.checkpoint import Checkpoint
from tercel_quant.importers.detect import open_checkpoint
from tercel_quant.importers.ternary import GroupedTernary, Ternary

__all__ = ["Checkpoint", "GroupedTernary", "Ternary", "open_checkpoint"]
