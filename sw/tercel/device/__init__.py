"""Devices: what runs a pass of token nodes over a model."""

from tercel.device.cache import KVCache
from tercel.device.interface import Ask, Counters, Device, Limits, PassInterruptedError, PassResult

__all__ = ["Ask", "Counters", "Device", "KVCache", "Limits", "PassInterruptedError", "PassResult"]
