"""The whole accelerator."""

from tercel_hw.top.accelerator import Accelerator
from tercel_hw.top.config import ACCELERATORS, AcceleratorConfig
from tercel_hw.top.word_router import WordRouter

__all__ = ["ACCELERATORS", "Accelerator", "AcceleratorConfig", "WordRouter"]
