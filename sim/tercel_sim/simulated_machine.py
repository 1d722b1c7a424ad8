"""A machine with the accelerator on its bus, whose processor has a cache of its own."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from tercel.hardware.port_buffer import LINE_BYTES
from tercel_sim.ddr import DDR, DdrConfig
from tercel_sim.verilator_board import VerilatorBoard

__all__ = ["CachedBuffer", "MachineInterrupt", "SimulatedMachine"]

Bytes = npt.NDArray[np.uint8]
INTERRUPT_CYCLES = 64
"""Cycles between two looks at the interrupt."""
CONTROL_BASE = 0xA000_0000
"""Address of the accelerator's registers."""


class CachedBuffer:
    """Memory of a port and the host's copy of it.

    Every line is always in the host's cache: what is not flushed never reaches memory, and what is
    not invalidated is never seen.

    Parameters
    ----------
    memory
        The memory, a view.
    address
        Its address.
    content
        Array for the host's copy; ``None`` makes one.
    """

    def __init__(self, memory: Bytes, address: int, *, content: Bytes | None = None):
        self.memory, self.address = memory, address
        self.content = np.empty_like(memory) if content is None else content
        self.content[:] = memory

    def flush(self, first: int, size: int) -> None:
        """Write the lines that hold bytes of the host's copy to memory."""
        lines = self._lines(first, size)
        self.memory[lines] = self.content[lines]

    def invalidate(self, first: int, size: int) -> None:
        """Replace the lines that hold bytes of the host's copy by memory."""
        lines = self._lines(first, size)
        self.content[lines] = self.memory[lines]

    @staticmethod
    def _lines(first: int, size: int) -> slice:
        return slice(
            first // LINE_BYTES * LINE_BYTES, -(-(first + size) // LINE_BYTES) * LINE_BYTES
        )


class SimulatedMachine:
    """An accelerator in cycle-accurate simulation, seen as a processor sees it.

    Registers are read and written; memory is allocated port by port, in turn, and cached; time is
    the accelerator's, of which :meth:`sleep` and :meth:`wait_interrupt` let pass.

    Parameters
    ----------
    library
        Library made by :func:`tercel_sim.verilator.build_library`.
    memory_bytes
        Memory that can be allocated, of all ports together.
    ddr
        Rates and latencies of the memory.
    clock_hz
        Actual frequency of the accelerator's clock; ``None`` is that of ``ddr``.
    """

    resolution = 2e-9
    """Uncertainty of the time of a register access in seconds."""

    def __init__(
        self,
        library: Path,
        *,
        memory_bytes: int = 1 << 22,
        ddr: DdrConfig = DDR["ideal"],
        clock_hz: float | None = None,
    ):
        probe = VerilatorBoard(library, words=1, ddr=ddr)
        words = memory_bytes // probe.word_bytes
        probe.close()
        self.board = VerilatorBoard(library, words=words, ddr=ddr)
        self.clock_hz = self.board.clock_hz if clock_hz is None else clock_hz
        self.lost_interrupts = False
        """True if no interrupt reaches the processor."""
        self._used = [0] * self.board.ports
        self._allocated = 0

    def program(self) -> None:
        """Load the bitstream: all registers have their reset values."""
        self.board.restart()

    def read(self, offset: int) -> int:
        """Read a register."""
        return self.board.read_register(offset)

    def write(self, offset: int, value: int) -> None:
        """Write a register."""
        self.board.write_register(offset, value)

    def allocate(self, size: int) -> CachedBuffer:
        """Allocate memory of the next port.

        Raises
        ------
        MemoryError
            If it has not enough.
        """
        port = self._allocated % self.board.ports
        first = self._used[port]
        memory = self.board.port_memories[port][first : first + size]
        if len(memory) < size:
            raise MemoryError(f"{size} bytes of memory are not free")
        self._allocated += 1
        self._used[port] = -(-(first + size) // LINE_BYTES) * LINE_BYTES
        return CachedBuffer(memory, self.board.bases[port] + first)

    def now(self) -> float:
        return self.board.cycles / self.clock_hz

    def sleep(self, seconds: float) -> None:
        self.board.run(max(1, round(seconds * self.clock_hz)))

    def wait_interrupt(self, seconds: float) -> bool:
        """Let time pass until the interrupt is raised, at most so long; return True if it is."""
        end = self.board.cycles + max(1, round(seconds * self.clock_hz))
        while self.lost_interrupts or not self.board.interrupt:
            left = end - self.board.cycles
            if left <= 0:
                return False
            self.board.run(min(left, INTERRUPT_CYCLES))
        return True


class MachineInterrupt:
    """The interrupt of a simulated machine."""

    def __init__(self, machine: SimulatedMachine):
        self._machine = machine

    def wait(self, timeout: float) -> bool:
        return self._machine.wait_interrupt(timeout)

    def close(self) -> None:
        """Nothing is held."""
