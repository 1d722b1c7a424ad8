"""Pass programs: what the driver tells the accelerator."""

from tercel.program.command import ABSENT, COMMAND_BYTES, COMMANDS, HEADER_BITS, Command

__all__ = ["ABSENT", "COMMANDS", "COMMAND_BYTES", "HEADER_BITS", "Command"]
