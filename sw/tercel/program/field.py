"""Fields of commands in an encoded program."""

import numpy as np
import numpy.typing as npt

from tercel.program.command import COMMANDS

__all__ = ["Field", "Program"]

Program = npt.NDArray[np.uint8]
"""Encoded commands ``[commands, 64]``."""


class Field:
    """The bits of a field in the commands of one kind.

    Attributes
    ----------
    command : str
        The kind of command.
    bytes : slice
        The bytes of a command that have bits of the field.
    """

    def __init__(self, command: str, name: str):
        self.command = command
        first, width = COMMANDS[command].first_bit(name), COMMANDS[command].fields[name]
        self._shift = first % 8
        self._size = -(-(self._shift + width) // 8)
        self.bytes = slice(first // 8, first // 8 + self._size)
        self._mask = self.spread(COMMANDS[command].most(name))

    def clear(self, commands: Program) -> None:
        """Set the field to zero in commands."""
        commands[:, self.bytes] &= ~self._mask

    def spread(self, value: int) -> npt.NDArray[np.uint8]:
        """A value as it lies in :attr:`bytes`, with zeros around it."""
        return np.frombuffer((value << self._shift).to_bytes(self._size, "little"), np.uint8)

    def add_each(self, commands: Program, values: npt.NDArray[np.int64]) -> None:
        """Set the field, zero before and of at most 32 bits, to a value for each command."""
        shifted = (values << self._shift).astype("<i8").view(np.uint8)
        commands[:, self.bytes] |= shifted.reshape(-1, 8)[:, : self._size]
