"""The board of an accelerator in an overlay that pynq loads."""

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tercel.errors import TercelError
from tercel.hardware.bank_stagger import BANK_SPAN
from tercel.hardware.board_lock import BoardLock
from tercel.hardware.contiguous_memory import cma_remedy, mebibytes
from tercel.hardware.hardware_board import CHECK_SECONDS, HardwareBoard
from tercel.hardware.interrupt import Interrupt, UioInterrupt
from tercel.hardware.overlay_files import OverlayFiles
from tercel.hardware.pynq_buffer import PynqPortBuffer, staggered_buffer
from tercel.hardware.timer import HostTimer, Timer

__all__ = ["LOCK", "PynqBoard", "Surroundings", "find_interrupt"]

LOCK = "pl"
"""Name of the lock on the programmable logic, whatever board uses it."""
PAGE = 4096


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """Time, interrupt and lock of a ``pynq.Device`` that is simulated.

    Such a device has them as its attribute ``surroundings``.
    """

    timer: Timer
    interrupt: Interrupt | None
    lock: str
    locks: Path
    """Folder of locks."""


class PynqBoard(HardwareBoard):
    """Board of the accelerator in an overlay; the constructor loads it and checks its clock.

    Parameters
    ----------
    files
        The overlay.
    words
        Memory to allocate in words of the accelerator.
    device
        The ``pynq.Device``; ``None`` is pynq's active one.
    check_seconds
        As :data:`tercel.hardware.hardware_board.CHECK_SECONDS`.

    Raises
    ------
    TercelError
        If a file is missing, pynq cannot load the overlay, another process holds the board, the
        memory cannot be allocated, or the clock is not the overlay's.
    """

    def __init__(
        self,
        files: OverlayFiles,
        *,
        words: int,
        device: Any = None,
        check_seconds: float = CHECK_SECONDS,
    ):
        files.check()
        layout, clock_hz = files.spec.layout, files.clock_hz
        pynq = _pynq()
        with _explained("pynq cannot use this machine's logic"):
            device = pynq.Device.active_device if device is None else device
        around = getattr(device, "surroundings", None)
        with contextlib.ExitStack() as undo:
            lock = BoardLock(around.lock, folder=around.locks) if around else BoardLock(LOCK)
            undo.callback(lock.close)
            with _explained(f"pynq cannot load the overlay {files.bitstream}"):
                overlay = _load(pynq, files, device)
                registers = _accelerator(overlay, files.module)
            interrupt = around.interrupt if around else find_interrupt(overlay, files.module)
            size = -(-words * layout.port_bytes // PAGE) * PAGE
            buffers = []
            for _ in range(layout.ports):
                buffers.append(_allocate(pynq, device, size, layout.ports, buffers))
                undo.callback(buffers[-1].close)
            super().__init__(
                registers,
                buffers,
                port_bytes=layout.port_bytes,
                words=words,
                clock_hz=clock_hz,
                interrupt=interrupt,
                timer=around.timer if around else HostTimer(),
                lock=lock,
                check_seconds=check_seconds,
            )
            self.overlay = overlay
            """The loaded ``pynq.Overlay``."""
            self.check(files.spec, segments=files.segments)
            undo.pop_all()


def _pynq() -> Any:
    try:
        import pynq  # pyright: ignore[reportMissingImports]

        import tercel.hardware.pynq_driver  # noqa: F401 - pynq binds what is imported
    except ModuleNotFoundError as error:
        raise TercelError(
            f"the device pynq needs {error.name}, which is not installed: run it in the board's "
            "pynq environment (pip install 'tercel[pynq]'), or take --device uio"
        ) from None
    return pynq


@contextlib.contextmanager
def _explained(problem: str) -> Iterator[None]:
    """Turn exceptions of pynq into one message with a remedy."""
    try:
        yield
    except TercelError:
        raise
    except PermissionError as error:
        raise TercelError(
            f"{problem}: {error.strerror or error}; it needs root: "
            "`sudo -s`, then `source /etc/profile.d/pynq_venv.sh`"
        ) from error
    except Exception as error:  # pynq raises bare RuntimeErrors, OSErrors and others
        if "root" in str(error).lower():
            remedy = "`sudo -s`, then `source /etc/profile.d/pynq_venv.sh`"
        elif "No Devices Found" in str(error):
            remedy = "`source /etc/profile.d/xrt_setup.sh` as root; see `tercel doctor`"
        else:
            remedy = "see `tercel doctor`"
        raise TercelError(f"{problem}: {error}; {remedy}") from error


def _load(pynq: Any, files: OverlayFiles, device: Any) -> Any:
    tree = files.device_tree
    with warnings.catch_warnings():
        # The clock is measured afterwards.
        warnings.filterwarnings("ignore", message="Setting frequency to the closest")
        return pynq.Overlay(str(files.bitstream), dtbo=str(tree) if tree else None, device=device)


def _accelerator(overlay: Any, module: str) -> Any:
    """The driver that pynq has bound to the accelerator."""
    name = _name(overlay, module)
    part = overlay
    for step in name.split("/"):
        part = getattr(part, step)
    return part


def _name(overlay: Any, module: str) -> str:
    """Name of the accelerator in the block design."""
    kind = f":module_ref:{module}_top:"
    found = [name for name, ip in overlay.ip_dict.items() if kind in str(ip.get("type"))]
    if len(found) != 1:
        known = ", ".join(overlay.ip_dict) or "none"
        raise TercelError(
            f"the overlay must have one block {module}_top, which its sidecar describes, "
            f"but has {len(found)} (blocks: {known}); take the sidecar that came with it"
        )
    return found[0]


def find_interrupt(overlay: Any, module: str) -> Interrupt | None:
    """The interrupt if it goes straight to the processor and Linux has a UIO device of it."""
    pin = overlay.interrupt_pins.get(f"{_name(overlay, module)}/irq")
    if not pin or "raw_irq" not in pin or pin.get("controller", pin.get("parent")):
        return None
    from pynq.interrupt import get_uio_irq  # pyright: ignore[reportMissingImports]

    path = get_uio_irq(pin["raw_irq"])
    return UioInterrupt(Path(path)) if path else None


def _allocate(
    pynq: Any, device: Any, size: int, ports: int, before: Sequence[PynqPortBuffer]
) -> PynqPortBuffer:
    """Allocate the buffer of the next port."""

    def allocated(count: int) -> Any:
        return pynq.allocate((count,), np.uint8, target=device, cacheable=True)

    try:
        return staggered_buffer(allocated, size, before)
    except (RuntimeError, MemoryError, OSError) as error:
        raise TercelError(
            f"{ports} buffers of {mebibytes(size)} cannot be allocated: {error}; "
            f"{cma_remedy(ports * (size + BANK_SPAN))}"
        ) from error
