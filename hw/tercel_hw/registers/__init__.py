"""Register descriptions, from which hardware, driver constants, C header and documents are made."""

from tercel_hw.registers.accelerator import COUNTERS, ControlConfig, accelerator_registers
from tercel_hw.registers.control import AcceleratorControl, event_layout
from tercel_hw.registers.counter import Counter, CounterConfig
from tercel_hw.registers.export import c_header, markdown, python_module
from tercel_hw.registers.file import RegisterFile, register_layout
from tercel_hw.registers.map import RegisterMap
from tercel_hw.registers.register import Access, Field, Register
from tercel_hw.registers.svd import svd
from tercel_hw.registers.systemrdl import systemrdl

__all__ = [
    "COUNTERS",
    "AcceleratorControl",
    "Access",
    "ControlConfig",
    "Counter",
    "CounterConfig",
    "Field",
    "Register",
    "RegisterFile",
    "RegisterMap",
    "accelerator_registers",
    "c_header",
    "event_layout",
    "markdown",
    "python_module",
    "register_layout",
    "svd",
    "systemrdl",
]
