"""A model on the accelerator behind the kernel's UIO driver."""

from dataclasses import dataclass
from pathlib import Path

from tercel.device import DeviceOptions, option
from tercel.device.accelerator import TIMEOUT, WATCHDOG
from tercel.hardware.board_lock import LOCKS
from tercel.hardware.choices import check_nodes, words_for
from tercel.hardware.hardware_device import HardwareDevice
from tercel.hardware.overlay_files import OverlayFiles
from tercel.hardware.system import System
from tercel.hardware.uio_board import UioBoard
from tercel.image import Image

__all__ = ["UioDevice", "UioOptions"]


@dataclass(frozen=True, kw_only=True)
class UioOptions(DeviceOptions):
    """Options of the accelerator that ``xmutil`` has loaded."""

    overlay: Path = option(
        Path("/lib/firmware/xilinx/tercel/tercel"), "the overlay's files without their suffix"
    )
    memory: str = option("udmabuf0", "name of the u-dma-buf")
    timeout: float = option(TIMEOUT, "seconds after which a pass is stuck")
    watchdog: float = option(WATCHDOG, "seconds without progress; 0 is no limit")


class UioDevice(HardwareDevice):
    """Device that runs passes on a loaded accelerator, through UIO and u-dma-buf.

    Parameters
    ----------
    image
        The model.
    files
        The overlay.
    memory
        Name of the u-dma-buf.
    context, timeout, watchdog
        As those of :class:`AcceleratorDevice`.
    system
        Files and devices; ``None`` is this machine.
    locks
        Folder of locks.

    Raises
    ------
    TercelError
        As :class:`UioBoard` and :class:`AcceleratorDevice`.
    """

    OPTIONS = UioOptions

    def __init__(
        self,
        image: Image,
        files: OverlayFiles,
        *,
        memory: str = "udmabuf0",
        context: int | None = None,
        timeout: float = TIMEOUT,
        watchdog: float = WATCHDOG,
        system: System | None = None,
        locks: Path = LOCKS,
    ):
        words = words_for(image, files.spec, context)
        super().__init__(
            image,
            files,
            UioBoard(files, words=words, memory=memory, system=system, locks=locks),
            context=context,
            timeout=timeout,
            watchdog=watchdog,
        )

    @classmethod
    def open(cls, image: Image, options: UioOptions) -> "UioDevice":
        files = OverlayFiles.find(options.overlay)
        check_nodes(options.nodes, files.spec)
        return cls(
            image,
            files,
            memory=options.memory,
            context=options.context,
            timeout=options.timeout,
            watchdog=options.watchdog,
        )
