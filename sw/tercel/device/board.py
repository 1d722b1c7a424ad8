"""What an accelerator must offer to be driven."""

import abc

from tercel.program import Memory

__all__ = ["Board"]


class Board(Memory):
    """An accelerator's registers and its memory, simulated or real."""

    @property
    @abc.abstractmethod
    def bases(self) -> tuple[int, ...]:
        """Byte address of word 0 on each port, as the accelerator sees it."""

    @abc.abstractmethod
    def read_register(self, offset: int) -> int:
        """The 32-bit register at a byte offset."""

    @abc.abstractmethod
    def write_register(self, offset: int, value: int) -> None:
        """Set the 32-bit register at a byte offset."""

    @abc.abstractmethod
    def wait(self, limit: int) -> None:
        """Let the accelerator run until its pass has ended.

        Raises
        ------
        TercelError
            If it has not after ``limit`` cycles.
        """

    @abc.abstractmethod
    def reset(self) -> None:
        """Bring the accelerator, its registers too, into its first state; memory stays."""
