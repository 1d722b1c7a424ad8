"""The accelerator in a cocotb bench, with a driver of its registers and a memory model."""

import itertools
import logging
from collections.abc import Sequence
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles
from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteMaster, AxiRam

from tercel.device.registers import REGISTERS, error_names
from tercel.errors import TercelError
from tercel.program import StripedMemory
from tercel_sim.axi_monitor import monitor_manager
from tercel_sim.cocotb_streams import pauses

__all__ = ["AcceleratorModel"]

FIRST_BASE, PAGE = 0x1000_0000, 4096
POLL_CYCLES = 16
"""Cycles between two reads of the status register."""
WIDEST = 62
"""Widest address space, in bits, whose size Python's ``len`` can return."""


class PortMemory:
    """The bytes of a port as an AxiRam's memory, which raises an error outside its region."""

    def __init__(self, content: np.ndarray, *, base: int, address_width: int):
        self._content = content
        self._base = base
        self._space = 1 << min(address_width, WIDEST)

    def __len__(self) -> int:
        return self._space

    def __getitem__(self, place: slice) -> bytes:
        return self._content[self._inside(place)].tobytes()

    def __setitem__(self, place: slice, content: bytes) -> None:
        self._content[self._inside(place)] = np.frombuffer(content, np.uint8)

    def _inside(self, place: slice) -> slice:
        first, end = place.start - self._base, place.stop - self._base
        if not 0 <= first <= end <= len(self._content):
            raise IndexError(f"bytes {place.start:#x} to {place.stop:#x} are not in the memory")
        return slice(first, end)


class AcceleratorModel:
    """Model of driver and memory: drives the accelerator's registers, serves its ports.

    A memory port that breaks a rule of AXI (:mod:`tercel_sim.axi_rules`) fails the test. The
    bench drives ``clk`` and ``rst``, ``rst`` from before the model is made; then
    :meth:`prepare` comes first.

    Parameters
    ----------
    dut
        Handle of the accelerator, with the ports ``clk``, ``rst``, ``s_axi_control_*`` and
        ``m_axi_mem{p}_*``.
    words
        Size of the memory in words, initially zeros.
    bases
        Byte address of word 0 on each port; ``None`` gives each port a region of its own.

    Raises
    ------
    ValueError
        If there are not as many bases as ports.
    """

    def __init__(self, dut: Any, *, words: int, bases: Sequence[int] | None = None):
        self._dut = dut
        ports = _ports(dut)
        port_bytes = len(dut.m_axi_mem0_rdata) // 8
        content = np.zeros((ports, words * port_bytes), np.uint8)
        if bases is None:
            stride = (-(-content.shape[1] // PAGE) + 1) * PAGE
            bases = [FIRST_BASE + port * stride for port in range(ports)]
        if len(bases) != ports:
            raise ValueError(f"bases must be one for each of the {ports} ports, not {len(bases)}")
        self._bases = tuple(bases)
        self._memory = StripedMemory(content, port_bytes=port_bytes)
        self._rams: list[Any] = []
        for port, base in enumerate(bases):
            bus = AxiBus.from_prefix(dut, f"m_axi_mem{port}")
            width = len(getattr(dut, f"m_axi_mem{port}_araddr"))
            memory = PortMemory(content[port], base=base, address_width=width)
            self._rams.append(AxiRam(bus, dut.clk, dut.rst, mem=memory))
            cocotb.start_soon(monitor_manager(dut, f"m_axi_mem{port}"))
        bus = AxiLiteBus.from_prefix(dut, "s_axi_control")
        self._control: Any = AxiLiteMaster(bus, dut.clk, dut.rst)
        for part in (*self._rams, self._control):
            for half in (part.read_if, part.write_if):
                half.log.setLevel(logging.WARNING)  # Else it logs a line a burst.

    @property
    def memory(self) -> StripedMemory:
        """Access to the memory by words, without the ports."""
        return self._memory

    @property
    def bases(self) -> tuple[int, ...]:
        """Byte address of word 0 on each port."""
        return self._bases

    @property
    def rams(self) -> tuple[AxiRam, ...]:
        """The models of the memory ports, so that a bench can pause them."""
        return tuple(self._rams)

    @property
    def control(self) -> AxiLiteMaster:
        """The model that drives the register bus."""
        return self._control

    def pause(self, probability: float, *, seed: int) -> None:
        """Make every channel of every port pause in a cycle with a probability."""
        number = 0
        for part in (*self._rams, self._control):
            read, write = part.read_if, part.write_if
            for channel in (
                *(read.ar_channel, read.r_channel),
                *(write.aw_channel, write.w_channel, write.b_channel),
            ):
                channel.set_pause_generator(pauses(probability, seed=seed + number))
                number += 1

    async def read_register(self, offset: int) -> int:
        """Return 32 bits of the register at a byte offset."""
        return await self._control.read_dword(offset)

    async def write_register(self, offset: int, value: int) -> None:
        """Write 32 bits to the register at a byte offset."""
        await self._control.write_dword(offset, value)

    async def prepare(self) -> None:
        """Write the ports' base addresses to the accelerator."""
        for port, base in enumerate(self._bases):
            await self._control.write_qword(REGISTERS["TAPE_BASE0"] + 8 * port, base)

    async def start(self, word: int, commands: int) -> None:
        """Start the program of ``commands`` commands at a word of the memory."""
        await self._control.write_qword(REGISTERS["PROGRAM_ADDRESS"], word)
        await self.write_register(REGISTERS["PROGRAM_LENGTH"], commands)
        await self.write_register(REGISTERS["CONTROL"], REGISTERS["CONTROL_START_MASK"])

    async def wait(self, limit: int) -> None:
        """Wait until the pass has ended or an error is reported.

        Raises
        ------
        TercelError
            If neither happened after ``limit`` cycles, not counting reads of the status.
        """
        for _ in range(0, limit, POLL_CYCLES):
            status = await self.read_register(REGISTERS["STATUS"])
            busy = status & REGISTERS["STATUS_BUSY_MASK"]
            if not busy or status & REGISTERS["STATUS_ERROR_MASK"]:
                return
            await ClockCycles(self._dut.clk, POLL_CYCLES)
        raise TercelError(f"the pass did not end within {limit} cycles")

    async def errors(self) -> tuple[str, ...]:
        """Return the names of the reported errors."""
        reported = await self.read_register(REGISTERS["ERROR"])
        names = error_names(len(self._rams))
        return tuple(name for bit, name in enumerate(names) if reported >> bit & 1)

    async def run(self, word: int, commands: int, *, limit: int) -> None:
        """Run a program to its end.

        Raises
        ------
        TercelError
            If the accelerator reports errors, or has not ended after ``limit`` cycles.
        """
        await self.start(word, commands)
        await self.wait(limit)
        if errors := await self.errors():
            raise TercelError(f"the accelerator reported the errors {', '.join(errors)}")


def _ports(dut: Any) -> int:
    return next(port for port in itertools.count() if not hasattr(dut, f"m_axi_mem{port}_rdata"))
