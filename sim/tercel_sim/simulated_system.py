"""A Linux system whose UIO device is the simulated accelerator."""

from pathlib import Path
from typing import Any

import numpy as np

from tercel.hardware.system import System
from tercel_sim.simulated_machine import (
    CONTROL_BASE,
    CachedBuffer,
    MachineInterrupt,
    SimulatedMachine,
)

__all__ = ["SimulatedSystem"]

CONTROL_BYTES = 0x1000


class SimulatedSystem(System):
    """System with the files that UIO and u-dma-buf would have, below a folder.

    Parameters
    ----------
    root
        Folder for the files of ``/sys``.
    machine
        The accelerator and the machine around it; all of its memory is ``udmabuf0``.
    """

    def __init__(self, root: Path, machine: SimulatedMachine):
        super().__init__(root)
        self.machine, self.timer = machine, machine
        bases = machine.board.bases
        parts = machine.board.port_memories
        stride = (bases[-1] - bases[0]) // max(1, len(bases) - 1) or len(parts[0])
        self._memory = np.zeros(len(bases) * stride, np.uint8)
        self._parts = []
        for port, (base, memory) in enumerate(zip(bases, parts, strict=True)):
            held = self._memory[port * stride : port * stride + len(memory)]
            self._parts.append((port * stride, CachedBuffer(memory, base, content=held)))
        files = {
            "sys/class/uio/uio4/name": "accelerator",
            "sys/class/uio/uio4/maps/map0/addr": f"{CONTROL_BASE:#x}",
            "sys/class/uio/uio4/maps/map0/size": f"{CONTROL_BYTES:#x}",
            "sys/class/u-dma-buf/udmabuf0/phys_addr": f"{bases[0]:#x}",
            "sys/class/u-dma-buf/udmabuf0/size": str(len(self._memory)),
        }
        for name, text in files.items():
            path = self.path(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text + "\n")

    def map(self, path: str, size: int) -> Any:
        return MachineWords(self.machine) if "uio" in path else self._memory[:size]

    def attribute(self, path: str) -> Any:
        return Synchronisation(self._parts, to_device=path.endswith("device"))

    def interrupt(self, path: str) -> MachineInterrupt:
        return MachineInterrupt(self.machine)


class MachineWords:
    """The accelerator's registers as an array of words."""

    def __init__(self, machine: SimulatedMachine):
        self._machine = machine

    def view(self, dtype: Any) -> "MachineWords":
        return self

    def __getitem__(self, index: int) -> int:
        return self._machine.read(4 * index)

    def __setitem__(self, index: int, value: int) -> None:
        self._machine.write(4 * index, value)


class Synchronisation:
    """A file ``sync_for_device`` or ``sync_for_cpu`` of a u-dma-buf."""

    def __init__(self, parts: list[tuple[int, CachedBuffer]], *, to_device: bool):
        self._parts, self._to_device = parts, to_device

    def write(self, text: str) -> None:
        number = int(text, 16)
        first, size, direction = number >> 32, number & 0xFFFFFFF0, number >> 2 & 3
        if number & 1 and direction == (1 if self._to_device else 2):
            for offset, part in self._parts:
                start = max(first - offset, 0)
                count = min(first + size - offset, len(part.content)) - start
                if count > 0:
                    (part.flush if self._to_device else part.invalidate)(start, count)

    def close(self) -> None:
        """Nothing is held."""
