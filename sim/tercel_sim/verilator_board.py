"""The board of a compiled accelerator with its memory."""

import ctypes
import errno
import math
import os
import weakref
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import numpy as np

from tercel.device.board import Board
from tercel.device.facts import DeviceFacts, Fact, Timing
from tercel.device.interface import PassInterruptedError
from tercel.device.registers import REGISTERS
from tercel.errors import TercelError
from tercel.hardware.bank_stagger import PORT_STAGGER, region_stride
from tercel.program import StripedMemory
from tercel_hw.checks import check_integer
from tercel_sim import harness_bindings
from tercel_sim.ddr import DDR, BankedDdrConfig, DdrConfig
from tercel_sim.memory_statistics import MemoryStatistics, PortStatistics

__all__ = ["VerilatorBoard"]

FIRST_BASE, PAGE = 0x1000_0000, 4096
LOSSES = ("full", "latency", "unasked", "rows")
"""Fields of the statistics that count bytes which could have moved."""
POLL_CYCLES = 16
"""Cycles between two reads of the status register."""
SLICE_CYCLES = 256
"""Cycles between two checks for signals: a quarter of a second if a cycle takes a millisecond, as
with waves of a large accelerator; the call takes microseconds."""


class VerilatorBoard(Board):
    """Board with the registers and the word-addressed memory of a simulated accelerator.

    The memory is initially zero. Bytes ``[p*port_bytes, (p+1)*port_bytes)`` of word w lie at byte
    address ``bases[p] + w*port_bytes`` of port p; outside its region a port answers with a decode
    error.

    Parameters
    ----------
    library
        Library made by :func:`tercel_sim.verilator.build_library`.
    words
        Size of the memory in words.
    ddr
        Rates and latencies of the memory.

    Raises
    ------
    TercelError
        By every method that runs the clock: if the design breaks a rule of AXI.
    OSError
        By every method that runs the clock: if waves cannot be written; the clock stays stopped.
    PassInterruptedError
        By every method that runs the clock: if :meth:`end_wait` is called during the run.
    """

    def __init__(self, library: Path, *, words: int, ddr: DdrConfig = DDR["kv260-13.3"]):
        self._library = harness_bindings.load_library(library)
        self._ports = self._library.tercel_ports()
        self._port_bytes = self._library.tercel_beat_bytes()
        check_integer("words", words, 1, 1 << 31)
        self._clock_hz = ddr.clock_mhz * 1e6
        size = words * self._port_bytes
        # A page between two regions belongs to neither.
        needed = (-(-size // PAGE) + 1) * PAGE
        stagger = ddr.banks.stagger if isinstance(ddr, BankedDdrConfig) else PORT_STAGGER
        stride = region_stride(needed, stagger)
        self._bases = tuple(FIRST_BASE + port * stride for port in range(self._ports))
        config = harness_bindings.native_ddr(ddr, port_bytes=size, beat_bytes=self._port_bytes)
        self._rate = config.memory_rate
        self._started = 0
        self._period = round(1e9 / ddr.clock_mhz)
        """Femtoseconds of a cycle."""
        self._waves: Path | None = None
        self._waves_failed = False
        self._wait_ended = False
        self._seconds = 0.0
        port_gbs = self._ports * self._port_bytes * ddr.port_rate * ddr.clock_mhz / 1e3
        self._memory_peak = 1e9 * min(ddr.sustained_gbs, port_gbs)
        bases = (ctypes.c_uint64 * self._ports)(*self._bases)
        self._simulation = self._library.tercel_create(config, bases)
        if not self._simulation:
            raise TercelError(f"{words} words of memory are more than this machine has")
        self._close = weakref.finalize(self, self._library.tercel_destroy, self._simulation)
        size = (words * self._port_bytes,)
        memories = [
            np.ctypeslib.as_array(self._library.tercel_memory(self._simulation, port), size)
            for port in range(self._ports)
        ]
        self.port_memories = tuple(memories)
        """Each port's region, uint8 ``[bytes]``; not to be used after :meth:`close`."""
        self.memory = StripedMemory(memories, port_bytes=self._port_bytes)

    @property
    def ports(self) -> int:
        return self._ports

    @property
    def port_bytes(self) -> int:
        """Bytes of a word on each port."""
        return self._port_bytes

    @property
    def word_bytes(self) -> int:
        return self._ports * self._port_bytes

    @property
    def clock_hz(self) -> float:
        return self._clock_hz

    @property
    def bases(self) -> tuple[int, ...]:
        """Byte address of each port's region."""
        return self._bases

    @property
    def simulation_seconds(self) -> float:
        return self._seconds

    def facts(self) -> DeviceFacts:
        return DeviceFacts(
            timing=Timing.SIMULATED,
            hardware=Fact(value="simulation", note="Verilator, with a model of the DDR memory"),
            overlay_sha256=Fact(value=None, note="a simulation loads no bitstream"),
            clock_hz=Fact(value=self._clock_hz, note="the clock of the memory's model"),
            memory_peak=Fact(
                value=self._memory_peak, note="the sustained rate of the memory's model"
            ),
            memory_rate=Fact(value=None, note="the rate of a simulated memory is given"),
            selftest=Fact(value=None, note="compare a simulation by `tercel selfcheck`"),
        )

    @property
    def cycles(self) -> int:
        """Cycles since the simulation began."""
        return self._library.tercel_cycles(self._simulation)

    @property
    def started(self) -> int:
        """Cycle after the driver's last write of a start, in which its pass begins."""
        return self._started

    @property
    def interrupt(self) -> bool:
        return bool(self._library.tercel_interrupt(self._simulation))

    def read_register(self, offset: int) -> int:
        """Return 32 bits of the register at a byte offset."""
        value = ctypes.c_uint32()
        outcome = self._timed(self._library.tercel_read_register, offset, value)
        self._check(outcome, f"reading register {offset:#x}")
        return value.value

    def write_register(self, offset: int, value: int) -> None:
        """Write 32 bits to the register at a byte offset."""
        outcome = self._timed(self._library.tercel_write_register, offset, value)
        self._check(outcome, f"writing register {offset:#x}")
        if offset == REGISTERS["CONTROL"] and value & REGISTERS["CONTROL_START_MASK"]:
            self._started = self.cycles

    def wait(self, timeout: float) -> None:
        """Run the clock while ``status`` shows busy and no error.

        Parameters
        ----------
        timeout
            Seconds of simulated time.

        Raises
        ------
        TercelError
            If it still does after ``timeout``.
        """
        busy = REGISTERS["STATUS_BUSY_MASK"]
        looked_at = busy | REGISTERS["STATUS_ERROR_MASK"]
        limit = self._cycles_of(timeout)
        outcome = self._run(
            self._library.tercel_run_while_register,
            *(REGISTERS["STATUS"], looked_at, busy, POLL_CYCLES),
            cycles=limit,
        )
        self._check(outcome, f"the pass did not end within {limit} cycles")

    def end_wait(self) -> None:
        self._wait_ended = True

    def wait_interrupt(self, timeout: float) -> None:
        """Run the clock until the interrupt is raised.

        Raises
        ------
        TercelError
            If it is not raised after ``timeout`` seconds of simulated time.
        """
        limit = self._cycles_of(timeout)
        outcome = self._run(self._library.tercel_run_until_interrupt, cycles=limit)
        self._check(outcome, f"no interrupt within {limit} cycles")

    def run(self, cycles: int) -> None:
        """Run the clock for a number of cycles."""
        self._check(self._run(self._library.tercel_run, cycles=cycles), "running")

    def restart(self) -> None:
        """Reset design and memory controller by the pin; contents, cycles and faults are kept."""
        self._library.tercel_reset(self._simulation)

    def statistics(self) -> MemoryStatistics:
        """Return the memory's statistics since :meth:`clear_statistics`."""
        memory = harness_bindings.NativeMemoryStatistics()
        self._library.tercel_memory_statistics(self._simulation, memory)
        ports = []
        for port in range(self._ports):
            counted = harness_bindings.NativePortStatistics()
            self._library.tercel_port_statistics(self._simulation, port, counted)
            ports.append(PortStatistics(**harness_bindings.plain(counted)))
        counted = harness_bindings.plain(memory)
        lost = {name: counted.pop(name) / self._rate for name in LOSSES}
        return MemoryStatistics(**counted, **lost, ports=tuple(ports), beat_bytes=self._port_bytes)

    def clear_statistics(self) -> None:
        """Set the memory's statistics to zero."""
        self._library.tercel_clear_statistics(self._simulation)

    def fail_read(self, port: int, *, beats: int, response: int) -> None:
        """Answer a read beat with an error; ``beats`` is its distance, 0 for the next beat.

        Parameters
        ----------
        response
            Response code: 2 SLVERR, 3 DECERR.
        """
        self._check_fault(port, response)
        self._library.tercel_fail_read(self._simulation, port, beats, response)

    def fail_write(self, port: int, *, beats: int, response: int) -> None:
        """Answer the burst of a write beat with an error; ``beats`` as in :meth:`fail_read`."""
        self._check_fault(port, response)
        self._library.tercel_fail_write(self._simulation, port, beats, response)

    def stop(self, port: int, *, cycle: int) -> None:
        """Stop a port: from a cycle on it accepts and answers nothing new."""
        check_integer("port", port, 0, self._ports - 1)
        self._library.tercel_stop(self._simulation, port, cycle)

    def resume(self, port: int) -> None:
        """Resume a stopped port in its former state."""
        self.stop(port, cycle=harness_bindings.NEVER)

    def waves(self, path: Path, *, first: int, end: int) -> None:
        """Write a VCD file of the cycles from ``first`` to before ``end``; end an earlier file.

        A cycle is a period of the memory's clock; cycle 0 begins at time 0.

        Raises
        ------
        TercelError
            If the library was built without waves.
        OSError
            If the file cannot be written.
        """
        window = first, end, self._period
        failure = self._library.tercel_waves(self._simulation, os.fsencode(path), *window)
        if failure == errno.ENOTSUP:
            raise TercelError("this library writes no waves: build it with waves=True")
        self._waves = path
        self._check_waves(failure)

    def close(self) -> None:
        """Free the simulation; no other method may be called, nor its memory be used, afterwards.

        Raises
        ------
        OSError
            If the last of the waves cannot be written, unless a method has raised this before.
        """
        if not self._close.alive:
            return
        failure = self._library.tercel_close_waves(self._simulation)
        del self.memory, self.port_memories
        self._close()
        if not self._waves_failed:
            self._check_waves(failure)

    def _run(self, function: Callable[..., int], *arguments: int, cycles: int) -> int:
        """Run the clock by a function of the library, in slices so that signals are handled."""
        self._wait_ended = False
        end = self.cycles + cycles
        while True:
            outcome = self._timed(function, *arguments, end, SLICE_CYCLES)
            if outcome != harness_bindings.UNFINISHED:
                return outcome
            if self._wait_ended:
                raise PassInterruptedError

    def _timed(self, function: Callable[..., int], *arguments) -> int:
        """Call a function of the library that runs the clock, and count its time."""
        started = perf_counter()
        outcome = function(self._simulation, *arguments)
        self._seconds += perf_counter() - started
        return outcome

    def _check_waves(self, failure: int) -> None:
        if failure:
            self._waves_failed = True
            raise OSError(failure, os.strerror(failure), str(self._waves))

    def _cycles_of(self, seconds: float) -> int:
        return math.ceil(round(seconds * self._clock_hz, 3))

    def _check(self, outcome: int, doing: str) -> None:
        if outcome == harness_bindings.UNWRITTEN:
            self._check_waves(self._library.tercel_close_waves(self._simulation))
        if outcome == harness_bindings.LIMIT:
            raise TercelError(doing)
        if outcome == harness_bindings.NO_ANSWER:
            raise TercelError(f"{doing}: the control port does not answer")
        if outcome == harness_bindings.VIOLATION:
            broken = self._library.tercel_violation(self._simulation).decode()
            port = self._library.tercel_violating_port(self._simulation)
            raise TercelError(f"port {port} before cycle {self.cycles}: {broken}")

    def _check_fault(self, port: int, response: int) -> None:
        check_integer("port", port, 0, self._ports - 1)
        check_integer("response", response, 2, 3)
