"""The interface between the driver and an accelerator."""

import abc

from tercel.device.registers import REGISTERS
from tercel.errors import TercelError
from tercel.program import Memory

__all__ = ["Board"]

ALL = 0xFFFFFFFF
RESET_SECONDS = 250e-6
"""More than memory that answers takes for all that it can be asked at a time."""
RESET_ERRORS = 16
"""Errors that may come up while what was asked for comes in."""


class Board(Memory):
    """An accelerator's registers and its memory, simulated or real."""

    @property
    @abc.abstractmethod
    def clock_hz(self) -> float:
        """The accelerator's clock."""

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
    def wait(self, timeout: float) -> None:
        """Let the accelerator run until its pass has ended or it reports an error.

        Parameters
        ----------
        timeout
            Seconds, of simulated time on a board whose clock is simulated.

        Raises
        ------
        TercelError
            If neither has come by then.
        """

    def end_wait(self) -> None:
        """Let a :meth:`wait` that is under way and may last raise :class:`PassInterruptedError`.

        May be called from a signal handler or another thread.
        """

    def reset(self) -> None:
        """Reset the accelerator, which first lets the memory answer what it was asked.

        Its registers keep their values but for errors, which are cleared; memory stays.

        Raises
        ------
        TercelError
            If it does not come out of the reset. It still does when the memory answers at last.
        """
        self.write_register(REGISTERS["CONTROL"], REGISTERS["CONTROL_RESET_MASK"])
        stuck = None
        for _ in range(RESET_ERRORS):
            self.write_register(REGISTERS["ERROR"], ALL)
            try:
                self.wait(RESET_SECONDS)
            except TercelError as error:
                stuck = error
                break
            if not self.read_register(REGISTERS["STATUS"]) & REGISTERS["STATUS_BUSY_MASK"]:
                self.write_register(REGISTERS["ERROR"], ALL)
                return
        raise TercelError(
            "the accelerator does not come out of its reset: its memory does not answer, or with "
            "errors alone; if that lasts, load its bitstream again"
        ) from stuck
