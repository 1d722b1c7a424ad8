"""Reading published checkpoints tensor by tensor, as canonical tensors."""

from tercel_quant.importers.checkpoint import Checkpoint, Ternary
from tercel_quant.importers.detect import open_checkpoint

__all__ = ["Checkpoint", "Ternary", "open_checkpoint"]
