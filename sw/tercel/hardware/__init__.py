"""Boards of real hardware: through pynq, or through the kernel's UIO and u-dma-buf."""

from tercel.hardware.hardware_board import HardwareBoard

__all__ = ["HardwareBoard"]
