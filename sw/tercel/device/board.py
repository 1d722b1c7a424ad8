"""The interface between the driver and an accelerator."""

import abc

from tercel.device.registers import REGISTERS
from tercel.errors import TercelError
from tercel.program import Memory

__all__ = ["Board"]

ALL = 0xFFFFFFFF
RESET_SECONDS = 250e-6
"""Wait in a reset, longer than a working memory takes for all outstanding requests."""
RESET_ERRORS = 16
"""Errors that a reset tolerates while outstanding requests are answered."""


class Board(Memory):
    """An accelerator's registers and its memory, simulated or real."""

    @property
    @abc.abstractmethod
    def clock_hz(self) -> float:
        """Frequency of the accelerator's clock in Hz."""

    @property
    @abc.abstractmethod
    def bases(self) -> tuple[int, ...]:
        """Byte address of word 0 on each port, in the accelerator's address space."""

    @abc.abstractmethod
    def read_register(self, offset: int) -> int:
        """Read the 32-bit register at a byte offset."""

    @abc.abstractmethod
    def write_register(self, offset: int, value: int) -> None:
        """Write the 32-bit register at a byte offset."""

    @abc.abstractmethod
    def wait(self, timeout: float) -> None:
        """Wait until the accelerator's pass has ended or it reports an error.

        Parameters
        ----------
        timeout
            Limit in seconds; simulated time on a simulated board.

        Raises
        ------
        TercelError
            If neither happens within the limit.
        """

    def end_wait(self) -> None:
        """End a running :meth:`wait`, which then raises :class:`PassInterruptedError`.

        May be called from a signal handler or another thread. Boards with short waits may ignore
        it.
        """

    def reset(self) -> None:
        """Reset the accelerator, which first waits for outstanding memory requests.

        The reset clears the error register; other registers and memory are unchanged.

        Raises
        ------
        TercelError
            If the reset does not end in time. It may still end when the memory answers later.
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
