"""A board whose accelerator lies behind registers and buffers of a real machine."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from tercel.device.board import Board
from tercel.device.facts import DeviceFacts, Fact, Timing
from tercel.device.identity import check_bases, check_identity
from tercel.device.interface import PassInterruptedError
from tercel.device.registers import REGISTERS, error_names
from tercel.errors import TercelError
from tercel.hardware.board_lock import BoardLock
from tercel.hardware.buffer_memory import BufferMemory
from tercel.hardware.clock import check_clock, measure_clock
from tercel.hardware.interrupt import Interrupt
from tercel.hardware.port_buffer import PortBuffer
from tercel.hardware.reach import check_segments
from tercel.hardware.timer import HostTimer, Timer
from tercel.program import AcceleratorSpec

__all__ = ["CHECK_SECONDS", "HardwareBoard", "Registers"]

ALL = 0xFFFFFFFF
BUSY, DONE, ERROR = (REGISTERS[f"STATUS_{bit}_MASK"] for bit in ("BUSY", "DONE", "ERROR"))
CHECK_SECONDS = 0.01
"""Seconds after which the status is looked at although no interrupt has come."""
LEAST_PAUSE, MOST_PAUSE = 5e-6, 2e-4
"""Seconds between two looks at the status without interrupts: the pause doubles each time."""
LOST_INTERRUPTS = 3
"""Interrupts that may be lost in a row before the board is polled."""


class Registers(Protocol):
    """Access to the accelerator's registers, 32 bits at a byte offset."""

    def read(self, offset: int) -> int: ...

    def write(self, offset: int, value: int) -> None: ...


class HardwareBoard(Board):
    """Board of registers, one buffer per port, and perhaps an interrupt.

    The memory is invalidated and flushed as it is read and written. A pass is waited for by its
    interrupt; the status decides, so a lost interrupt costs :data:`CHECK_SECONDS`, and after
    :data:`LOST_INTERRUPTS` of them in a row the status is polled.

    Parameters
    ----------
    registers
        The accelerator's registers.
    buffers
        One buffer per port.
    port_bytes
        Bytes of a word on one port.
    words
        Size of the memory in words.
    clock_hz
        Frequency of the accelerator's clock.
    interrupt
        Its interrupt; ``None`` polls.
    timer
        Time of waits.
    lock
        Lock on the accelerator, which :meth:`close` releases.
    check_seconds
        As :data:`CHECK_SECONDS`.
    """

    def __init__(
        self,
        registers: Registers,
        buffers: Sequence[PortBuffer],
        *,
        port_bytes: int,
        words: int,
        clock_hz: float,
        interrupt: Interrupt | None = None,
        timer: Timer | None = None,
        lock: BoardLock | None = None,
        check_seconds: float = CHECK_SECONDS,
    ):
        self.memory = BufferMemory(buffers, port_bytes=port_bytes, words=words)
        self.timer = HostTimer() if timer is None else timer
        self._registers, self._buffers = registers, buffers
        self._bases = tuple(buffer.address for buffer in buffers)
        self._clock_hz = clock_hz
        self._interrupt, self._lock = interrupt, lock
        self.check_seconds = check_seconds
        self._lost = 0
        self._wait_ended = False
        self.measured_hz: float | None = None
        """The clock as :meth:`check` measured it; ``None`` before."""
        self._enable_interrupt()

    @property
    def clock_hz(self) -> float:
        return self._clock_hz

    @property
    def bases(self) -> tuple[int, ...]:
        return self._bases

    @property
    def simulation_seconds(self) -> float | None:
        return 0.0 if isinstance(self.timer, HostTimer) else None

    def facts(self) -> DeviceFacts:
        """Facts of hardware; with the time of a simulation those of a simulation."""
        simulated = not isinstance(self.timer, HostTimer)
        clock = Fact(value=self._clock_hz, note="the overlay's own, not measured")
        if self.measured_hz is not None:
            clock = Fact(value=self.measured_hz, note="cycles against the host's clock")
        timing = Timing.SIMULATED if simulated else Timing.BOARD
        return DeviceFacts(timing=timing, clock_hz=clock)

    @property
    def polls(self) -> bool:
        """True if no interrupt is used, or none has come for several passes."""
        return self._interrupt is None or self._lost >= LOST_INTERRUPTS

    def read_register(self, offset: int) -> int:
        return self._registers.read(offset)

    def write_register(self, offset: int, value: int) -> None:
        self._registers.write(offset, value)

    def wait(self, timeout: float) -> None:
        self._wait_ended = False
        deadline = self.timer.now() + timeout
        pause, came = LEAST_PAUSE, True
        while True:
            left = deadline - self.timer.now()
            status = self.read_register(REGISTERS["STATUS"])
            if not status & BUSY or status & ERROR:
                break
            if self._wait_ended:
                raise PassInterruptedError
            if left <= 0:  # The status was read afterwards, whatever held this process up.
                raise TercelError(f"the pass did not end within {timeout:g} s ({self.describe()})")
            if self._interrupt is None or self.polls:
                self.timer.sleep(min(pause, left))
                pause = min(2 * pause, MOST_PAUSE)
                continue
            came = self._interrupt.wait(min(self.check_seconds, left))
            if came:
                self.write_register(REGISTERS["IRQ_STATUS"], ALL)
        if self._interrupt is not None:
            self.write_register(REGISTERS["IRQ_STATUS"], ALL)
            if not self.polls and status & (DONE | ERROR):
                self._lost = 0 if came else self._lost + 1

    def end_wait(self) -> None:
        self._wait_ended = True

    def reset(self) -> None:
        super().reset()
        self._enable_interrupt()

    def describe(self) -> str:
        """State of the accelerator in a few words."""
        status = self.read_register(REGISTERS["STATUS"])
        reported = self.read_register(REGISTERS["ERROR"])
        names = error_names(len(self._bases))
        found = [name for bit, name in enumerate(names) if reported >> bit & 1]
        bits = (("busy", BUSY), ("done", DONE), ("error", ERROR))
        states = [name for name, mask in bits if status & mask] or ["idle"]
        cycles = self.read_register(REGISTERS["CYCLES"])
        errors = f"errors {', '.join(found)}" if found else "no errors"
        return f"status {' and '.join(states)}, {errors}, {cycles} cycles since the start"

    def check(self, spec: AcceleratorSpec, *, segments: Sequence[Mapping[str, Any]] = ()) -> None:
        """Check that the accelerator is the described one, reaches memory and runs at its clock.

        The first words of the memory are overwritten.

        Parameters
        ----------
        segments
            Memory that every port reaches, as in the sidecar; empty is unknown.

        Raises
        ------
        TercelError
            If it is another one, a buffer is out of its reach, it cannot run a program, or its
            clock differs by more than 1 %.
        """
        check_identity(self, spec)
        check_bases(self._bases, self.words, spec)
        check_segments(self._bases, self.words * spec.layout.port_bytes, segments)
        self.measured_hz = measure_clock(self, self.timer)
        check_clock(self.measured_hz, self._clock_hz)

    def close(self) -> None:
        """Release interrupt, buffers and lock; the board must not be used afterwards."""
        if self._interrupt is not None:
            self.write_register(REGISTERS["IRQ_ENABLE"], 0)
            self._interrupt.close()
        self._interrupt = None
        del self.memory
        for buffer in self._buffers:
            buffer.close()
        self._buffers = ()
        if self._lock is not None:
            self._lock.close()

    def _enable_interrupt(self) -> None:
        if self._interrupt is not None:
            self.write_register(REGISTERS["IRQ_STATUS"], ALL)
            events = REGISTERS["IRQ_ENABLE_DONE_MASK"] | REGISTERS["IRQ_ENABLE_ERROR_MASK"]
            self.write_register(REGISTERS["IRQ_ENABLE"], events)
