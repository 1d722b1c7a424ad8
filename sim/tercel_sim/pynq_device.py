"""A ``pynq.Device`` whose programmable logic is the simulated accelerator."""

import importlib
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pynq  # pyright: ignore[reportMissingImports]
from pynq.buffer import PynqBuffer  # pyright: ignore[reportMissingImports]

from tercel.hardware.pynq_board import Surroundings
from tercel_sim.simulated_machine import (
    CONTROL_BASE,
    CachedBuffer,
    MachineInterrupt,
    SimulatedMachine,
)

__all__ = ["SimulatedPynqDevice"]

PROCESSOR_BASE = 0xC000_0000
"""First address of the processing system's own registers."""
PROCESSOR_VALUE = 0x0101_0F00
"""Value of those that have not been written: dividers other than zero."""
IOPLL_CTRL, IOPLL_VALUE = 0xFF5E_0020, 90 << 8 | 1 << 16
"""The PLL of the logic's clocks, 33.333 MHz * 90 / 2."""
NUMBERS = itertools.count()


class SimulatedPynqDevice(pynq.Device):
    """Device for the unmodified pynq: overlays, registers, buffers and their caches.

    Parameters
    ----------
    machine
        The accelerator and the machine around it.
    locks
        Folder of locks.
    """

    def __init__(self, machine: SimulatedMachine, *, locks: Path):
        super().__init__(f"simulated{next(NUMBERS)}")
        self.name, self.arch = "simulated", "aarch64"
        self.capabilities = {"REGISTER_RW": True}
        pynq.ps.CPU_ARCH = self.arch  # pynq 3.0 sets the clocks of the processor that it runs on
        self.machine = machine
        self.surroundings = Surroundings(
            timer=machine, interrupt=MachineInterrupt(machine), lock=self.tag, locks=locks
        )
        self._processor = {IOPLL_CTRL: IOPLL_VALUE}
        self._buffers: list[CachedBuffer] = []

    def get_bitfile_metadata(self, bitfile_name: str, partial: bool = False) -> Any:
        frontends = importlib.import_module("pynqmetadata.frontends")
        try:
            views = importlib.import_module("pynq.metadata.runtime_metadata_parser")  # pynq 3
        except ModuleNotFoundError:
            views = importlib.import_module("pynqmetadata.views.runtime")
        return views.RuntimeMetadataParser(
            frontends.Metadata(input=str(Path(bitfile_name).with_suffix(".hwh")))
        )

    def download(self, bitstream: Any, parser: Any = None) -> None:
        self.machine.program()
        self.post_download(bitstream, parser)

    def close(self) -> None:
        """Nothing is held; pynq 3 calls this when an overlay is freed."""

    def read_registers(self, address: int, length: int) -> bytes:
        return b"".join(
            self._read(place).to_bytes(4, "little") for place in range(address, address + length, 4)
        )

    def write_registers(self, address: int, data: bytes) -> None:
        for place, value in enumerate(np.frombuffer(bytes(data), "<u4").tolist()):
            self._write(address + 4 * place, value)

    def allocate(self, shape: Any, dtype: Any = "u4", cacheable: int = 0, **others: Any) -> Any:
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        try:
            cached = self.machine.allocate(size)
        except MemoryError as error:
            raise RuntimeError(f"BO allocation failed: {error}") from None
        self._buffers.append(cached)
        return PynqBuffer(
            shape,
            dtype,
            buffer=cached.content,
            device=self,
            device_address=cached.address,
            bo=len(self._buffers) - 1,
            coherent=False,
        )

    def flush(self, bo: int, offset: int, vaddr: int, nbytes: int) -> None:
        self._buffers[bo].flush(offset, nbytes)

    def invalidate(self, bo: int, offset: int, vaddr: int, nbytes: int) -> None:
        self._buffers[bo].invalidate(offset, nbytes)

    def _read(self, address: int) -> int:
        if address >= PROCESSOR_BASE:
            return self._processor.get(address, PROCESSOR_VALUE)
        return self.machine.read(address - CONTROL_BASE)

    def _write(self, address: int, value: int) -> None:
        if address >= PROCESSOR_BASE:
            self._processor[address] = value
        else:
            self.machine.write(address - CONTROL_BASE, value)
