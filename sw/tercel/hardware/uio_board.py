"""The board of an accelerator behind the kernel's UIO driver and a u-dma-buf."""

import contextlib
from pathlib import Path
from typing import Any

import numpy as np

from tercel.errors import TercelError
from tercel.hardware.bank_stagger import most_stride, region_stride
from tercel.hardware.board_lock import LOCKS, BoardLock
from tercel.hardware.contiguous_memory import mebibytes
from tercel.hardware.hardware_board import CHECK_SECONDS, HardwareBoard
from tercel.hardware.overlay_files import OverlayFiles
from tercel.hardware.pynq_board import LOCK
from tercel.hardware.system import System
from tercel.hardware.uio_buffer import UioPortBuffer

__all__ = ["UioBoard", "find_uio"]

UIO, BUFFERS = "/sys/class/uio", "/sys/class/u-dma-buf"


class UioBoard(HardwareBoard):
    """Board of an accelerator that ``xmutil`` has loaded; the constructor checks its clock.

    Registers and interrupt are those of the UIO device at the address in the sidecar. The
    u-dma-buf is divided evenly among the ports.

    Parameters
    ----------
    files
        The overlay; only its sidecar is needed, and the hardware description if it is there.
    words
        Memory in words of the accelerator.
    memory
        Name of the u-dma-buf.
    system
        Files and devices.
    locks
        Folder of locks.
    check_seconds
        As :data:`tercel.hardware.hardware_board.CHECK_SECONDS`.

    Raises
    ------
    TercelError
        If no accelerator is loaded, a device cannot be opened, another process holds the board,
        the u-dma-buf is missing or too small, or the clock is not the overlay's.
    """

    def __init__(
        self,
        files: OverlayFiles,
        *,
        words: int,
        memory: str = "udmabuf0",
        system: System | None = None,
        locks: Path = LOCKS,
        check_seconds: float = CHECK_SECONDS,
    ):
        system = System() if system is None else system
        layout, clock_hz = files.spec.layout, files.clock_hz
        device, size = find_uio(system, files)
        with contextlib.ExitStack() as undo:
            lock = BoardLock(LOCK, folder=locks)
            undo.callback(lock.close)
            registers = MappedRegisters(system.map(f"/dev/{device}", size))
            needed = words * layout.port_bytes
            buffers = _buffers(system, memory, layout.ports, needed)
            for buffer in buffers:
                undo.callback(buffer.close)
            interrupt = system.interrupt(f"/dev/{device}")
            undo.callback(interrupt.close)
            super().__init__(
                registers,
                buffers,
                port_bytes=layout.port_bytes,
                words=words,
                clock_hz=clock_hz,
                interrupt=interrupt,
                timer=system.timer,
                lock=lock,
                check_seconds=check_seconds,
            )
            self.check(files.spec, segments=files.segments)
            undo.pop_all()


class MappedRegisters:
    """Registers in mapped memory, accessed by words of 32 bits.

    Parameters
    ----------
    mapped
        uint8 ``[bytes]``.
    """

    def __init__(self, mapped: Any):
        self._words = mapped.view(np.uint32)

    def read(self, offset: int) -> int:
        return int(self._words[offset >> 2])

    def write(self, offset: int, value: int) -> None:
        self._words[offset >> 2] = value


def find_uio(system: System, files: OverlayFiles) -> tuple[str, int]:
    """Name and bytes of the UIO device at the accelerator's address.

    Raises
    ------
    TercelError
        If the sidecar has no address, or there is no device.
    """
    registers = files.board.get("registers")
    if registers is None:
        raise TercelError(
            f"the sidecar {files.sidecar} does not say where the registers lie; "
            "write it with `tercel hdl --board`"
        )
    for name in system.names(UIO):
        address = system.read(f"{UIO}/{name}/maps/map0/addr")
        if address and int(address, 0) == registers["base"]:
            size = system.read(f"{UIO}/{name}/maps/map0/size")
            return name, int(size, 0) if size else registers["bytes"]
    raise TercelError(
        f"no accelerator is loaded at {registers['base']:#x}: put the overlay's folder into "
        "/lib/firmware/xilinx, then `xmutil unloadapp; xmutil loadapp tercel`; if it is loaded, "
        "the kernel's uio_pdrv_genirq must take its device tree's generic-uio (docs/board.md)"
    )


def _buffers(system: System, name: str, ports: int, needed: int) -> list[UioPortBuffer]:
    """Divide a u-dma-buf; each part begins with a page, in another bank than the part before."""
    folder = f"{BUFFERS}/{name}"
    address, size = (system.read(f"{folder}/{field}") for field in ("phys_addr", "size"))
    enough = ports * region_stride(needed)
    make = f"`modprobe -r u-dma-buf; modprobe u-dma-buf {name}={enough}`"
    if address is None or size is None:
        raise TercelError(f"there is no memory {name} of the driver u-dma-buf: {make}")
    part = most_stride(int(size, 0) // ports)
    if part < needed:
        raise TercelError(
            f"the model needs {mebibytes(enough)} of memory, but {name} has "
            f"{mebibytes(int(size, 0))}: {make}, with cma= of the kernel's command line above "
            "that, or a reserved-memory node (docs/board.md); or open it with a shorter context"
        )
    content = system.map(f"/dev/{name}", int(size, 0))
    parts = []
    for port in range(ports):
        offset = port * part
        parts.append(
            UioPortBuffer(
                content[offset : offset + part],
                address=int(address, 0) + offset,
                offset=offset,
                for_device=system.attribute(f"{folder}/sync_for_device"),
                for_host=system.attribute(f"{folder}/sync_for_cpu"),
            )
        )
    return parts
