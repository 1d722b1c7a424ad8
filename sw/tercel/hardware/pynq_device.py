"""A model on the accelerator of an overlay that pynq loads."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tercel.device import DeviceOptions, option
from tercel.device.accelerator import TIMEOUT, WATCHDOG
from tercel.errors import TercelError
from tercel.hardware.choices import check_nodes, words_for
from tercel.hardware.hardware_device import HardwareDevice
from tercel.hardware.overlay_files import OverlayFiles
from tercel.hardware.pynq_board import PynqBoard
from tercel.image import Image

__all__ = ["PynqDevice", "PynqOptions"]


@dataclass(frozen=True, kw_only=True)
class PynqOptions(DeviceOptions):
    """Options of the accelerator in an overlay."""

    overlay: Path | None = option(None, "the overlay's .bit, beside it .hwh and .json; or a name")
    timeout: float = option(TIMEOUT, "seconds after which a pass is stuck")
    watchdog: float = option(WATCHDOG, "seconds without progress; 0 is no limit")


class PynqDevice(HardwareDevice):
    """Device that runs passes on an accelerator in programmable logic, through pynq.

    Parameters
    ----------
    image
        The model.
    files
        The overlay.
    context, timeout, watchdog
        As those of :class:`AcceleratorDevice`.
    device
        The ``pynq.Device``; ``None`` is pynq's active one.

    Raises
    ------
    TercelError
        As :class:`PynqBoard` and :class:`AcceleratorDevice`.
    """

    OPTIONS = PynqOptions

    def __init__(
        self,
        image: Image,
        files: OverlayFiles,
        *,
        context: int | None = None,
        timeout: float = TIMEOUT,
        watchdog: float = WATCHDOG,
        device: Any = None,
    ):
        words = words_for(image, files.spec, context)
        super().__init__(
            image,
            files,
            PynqBoard(files, words=words, device=device),
            context=context,
            timeout=timeout,
            watchdog=watchdog,
        )

    @classmethod
    def open(cls, image: Image, options: PynqOptions) -> "PynqDevice":
        if options.overlay is None:
            raise TercelError("the device pynq needs an overlay: --set overlay=PATH/tercel.bit")
        files = OverlayFiles.find(options.overlay)
        check_nodes(options.nodes, files.spec)
        return cls(
            image,
            files,
            context=options.context,
            timeout=options.timeout,
            watchdog=options.watchdog,
        )
