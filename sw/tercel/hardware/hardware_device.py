"""A model on a board of real hardware."""

from tercel.device import DeviceFacts
from tercel.device.accelerator import TIMEOUT, WATCHDOG, AcceleratorDevice
from tercel.hardware.hardware_board import HardwareBoard
from tercel.hardware.overlay_facts import overlay_facts
from tercel.hardware.overlay_files import OverlayFiles
from tercel.image import Image

__all__ = ["HardwareDevice"]


class HardwareDevice(AcceleratorDevice):
    """Device that owns its board: it is closed with the device, or if the device cannot be made.

    Parameters
    ----------
    image
        The model.
    files
        The overlay.
    board
        The board, with memory for the model.
    context, timeout, watchdog
        As those of :class:`AcceleratorDevice`.

    Raises
    ------
    TercelError
        As :class:`AcceleratorDevice`.
    """

    def __init__(
        self,
        image: Image,
        files: OverlayFiles,
        board: HardwareBoard,
        *,
        context: int | None = None,
        timeout: float = TIMEOUT,
        watchdog: float = WATCHDOG,
    ):
        self._files, self._hardware = files, board
        try:
            super().__init__(
                image,
                board,
                spec=files.spec,
                context=context,
                timeout=timeout,
                watchdog=watchdog,
            )
        except BaseException:
            board.close()
            raise

    @property
    def board(self) -> HardwareBoard:
        return self._hardware

    def facts(self) -> DeviceFacts:
        return overlay_facts(self._files, super().facts())

    def close(self) -> None:
        """Release the board; neither it nor the device may be used afterwards."""
        self._hardware.close()
