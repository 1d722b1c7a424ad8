"""Devices: implementations of a pass of token nodes over a model."""

from tercel.device.cache import KVCache
from tercel.device.cache_file import SavedSequence
from tercel.device.facts import DeviceFacts, Fact, Timing
from tercel.device.interface import Device, PassInterruptedError
from tercel.device.options import DeviceOptions, option
from tercel.device.pass_result import Counters, Limits, PassResult
from tercel.program import Ask

__all__ = [
    "Ask",
    "Counters",
    "Device",
    "DeviceFacts",
    "DeviceOptions",
    "Fact",
    "KVCache",
    "Limits",
    "PassInterruptedError",
    "PassResult",
    "SavedSequence",
    "Timing",
    "option",
]
