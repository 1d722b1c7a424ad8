"""Pass programs: what the driver tells the accelerator."""

from tercel.program.arena import Arena
from tercel.program.builder import PassBuilder
from tercel.program.command import ABSENT, COMMAND_BYTES, COMMANDS, HEADER_BITS, Command
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

__all__ = [
    "ABSENT",
    "COMMANDS",
    "COMMAND_BYTES",
    "HEADER_BITS",
    "Area",
    "Arena",
    "Command",
    "Machine",
    "Memory",
    "MemoryMap",
    "PassBuilder",
    "Request",
    "StripedMemory",
    "Summary",
    "memory_map",
    "most_commands",
    "read_hidden",
    "read_logits",
    "read_summary",
    "summary_lines",
]
