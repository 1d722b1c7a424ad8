"""Pass programs: what the driver tells the accelerator."""

from tercel.program.arena import Arena
from tercel.program.builder import PassBuilder
from tercel.program.command import ABSENT, COMMAND_BYTES, COMMANDS, HEADER_BITS, Command
from tercel.program.lanes import LanePlan, pads
from tercel.program.machine import Machine
from tercel.program.memory import Memory, StripedMemory
from tercel.program.memory_map import Area, MemoryMap, memory_map, most_commands
from tercel.program.request import Request
from tercel.program.results import (
    Summary,
    read_hidden,
    read_logits,
    read_summary,
    summary_lines,
)
from tercel.program.slices import Slices

__all__ = [
    "ABSENT",
    "COMMANDS",
    "COMMAND_BYTES",
    "HEADER_BITS",
    "Area",
    "Arena",
    "Command",
    "LanePlan",
    "Machine",
    "Memory",
    "MemoryMap",
    "PassBuilder",
    "Request",
    "Slices",
    "StripedMemory",
    "Summary",
    "memory_map",
    "most_commands",
    "pads",
    "read_hidden",
    "read_logits",
    "read_summary",
    "summary_lines",
]
