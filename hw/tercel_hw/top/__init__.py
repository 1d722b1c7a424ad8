"""The whole accelerator."""

from tercel_hw.top.accelerator import Accelerator
from tercel_hw.top.config import ACCELERATORS, AcceleratorConfig

__all__ = ["ACCELERATORS", "Accelerator", "AcceleratorConfig"]
