"""The board of the driver in a cocotb bench."""

import math

from cocotb.task import resume

from tercel.device.board import Board
from tercel_sim.accelerator_model import AcceleratorModel

__all__ = ["CocotbBoard"]


class CocotbBoard(Board):
    """Board of a cocotb model of the accelerator, with blocking calls.

    The calls must come from a function that ``cocotb.task.bridge`` made awaitable::

        board = CocotbBoard(model)
        device = await bridge(AcceleratorDevice)(image, board, spec=spec)
        result = await bridge(device.run_pass)([5])

    Parameters
    ----------
    model
        Model of the accelerator.
    clock_hz
        Frequency of the bench's clock.
    """

    def __init__(self, model: AcceleratorModel, *, clock_hz: float = 250e6):
        self._model = model
        self.memory = model.memory
        self._clock_hz = clock_hz

    @property
    def clock_hz(self) -> float:
        return self._clock_hz

    @property
    def bases(self) -> tuple[int, ...]:
        return self._model.bases

    def read_register(self, offset: int) -> int:
        return resume(self._model.read_register)(offset)

    def write_register(self, offset: int, value: int) -> None:
        resume(self._model.write_register)(offset, value)

    def wait(self, timeout: float) -> None:
        resume(self._model.wait)(math.ceil(timeout * self._clock_hz))
