"""The interface between the driver and an accelerator."""

import abc
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tercel.device.facts import DeviceFacts, Fact, Timing
from tercel.device.registers import REGISTERS
from tercel.errors import TercelError
from tercel.program import Memory
from tercel.program.memory import Bytes

__all__ = ["Board"]

ALL = 0xFFFFFFFF
RESET_SECONDS = 250e-6
"""Wait in a reset, longer than a working memory takes for all outstanding requests."""
RESET_ERRORS = 16
"""Errors that a reset tolerates while outstanding requests are answered."""


class Board(Memory):
    """An accelerator's registers and its memory, simulated or real."""

    memory: Memory
    """The memory, set by the implementation; the methods of :class:`Memory` are its own."""

    @property
    def words(self) -> int:
        return self.memory.words

    def read(self, word: int, count: int) -> Bytes:
        return self.memory.read(word, count)

    def write(self, word: int, content: Bytes) -> None:
        self.memory.write(word, content)

    def write_port(self, port: int, word: int, content: Bytes) -> None:
        self.memory.write_port(port, word, content)

    def read_pieces(self, places: range, size: int) -> Bytes:
        return self.memory.read_pieces(places, size)

    def read_at(self, places: npt.NDArray[np.int64], size: int) -> Bytes:
        return self.memory.read_at(places, size)

    def copy_pieces(
        self, moves: Sequence[tuple[int, int]], size: int, *, count: int, stride: int
    ) -> None:
        self.memory.copy_pieces(moves, size, count=count, stride=stride)

    @property
    @abc.abstractmethod
    def clock_hz(self) -> float:
        """Frequency of the accelerator's clock in Hz."""

    @property
    @abc.abstractmethod
    def bases(self) -> tuple[int, ...]:
        """Byte address of word 0 on each port, in the accelerator's address space."""

    @property
    def simulation_seconds(self) -> float | None:
        """The host's time spent on simulating the accelerator; ``None`` if it cannot be told.

        A board of hardware overrides this by 0, together with :meth:`facts`.
        """
        return None

    def facts(self) -> DeviceFacts:
        """Facts that figures of passes depend on; unless overridden, those of a simulation."""
        return DeviceFacts(
            timing=Timing.SIMULATED,
            clock_hz=Fact(value=self.clock_hz, note="the rate at which cycles are counted"),
        )

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
