"""Pass programs: requests, commands, and the layout of the accelerator's memory."""

from tercel.program.accelerator_spec import AcceleratorSpec
from tercel.program.builder import PassBuilder
from tercel.program.command import ABSENT, COMMAND_BYTES, COMMANDS, HEADER_BITS, Command
from tercel.program.device_memory import DeviceMemory
from tercel.program.encoder import PassEncoder
from tercel.program.field import Program
from tercel.program.lanes import LanePlan, lanes_per_head_choices
from tercel.program.memory import Memory, StripedMemory
from tercel.program.memory_map import Area, MemoryMap, memory_map, most_commands
from tercel.program.memory_region import MemoryRegion
from tercel.program.request import Ask, Request
from tercel.program.results import Summary, read_summary, summary_lines
from tercel.program.slices import Slices

__all__ = [
    "ABSENT",
    "COMMANDS",
    "COMMAND_BYTES",
    "HEADER_BITS",
    "AcceleratorSpec",
    "Area",
    "Ask",
    "Command",
    "DeviceMemory",
    "LanePlan",
    "Memory",
    "MemoryMap",
    "MemoryRegion",
    "PassBuilder",
    "PassEncoder",
    "Program",
    "Request",
    "Slices",
    "StripedMemory",
    "Summary",
    "lanes_per_head_choices",
    "memory_map",
    "most_commands",
    "read_summary",
    "summary_lines",
]
