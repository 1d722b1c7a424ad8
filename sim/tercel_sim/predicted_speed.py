"""Speed of a model on a preset accelerator, by the cycle model."""

from dataclasses import replace

from tercel.config import ModelConfig
from tercel_hw.board import load_board
from tercel_hw.fit import board_of
from tercel_hw.top import ACCELERATORS
from tercel_sim.cycle_model import predict_pass
from tercel_sim.ddr import DDR

__all__ = ["memory_of", "predicted_speed"]

FEW, MORE = 2, 4
"""Numbers of layers that are predicted; deeper models are extrapolated, since layers are equal."""


def memory_of(preset: str) -> str:
    """The preset of the memory of the board of a preset accelerator."""
    return load_board(board_of(preset)).ddr.simulated


def predicted_speed(
    config: ModelConfig, *, preset: str, context: int, memory: str | None = None
) -> tuple[float, str]:
    """Tokens a second of plain decoding behind ``context`` positions, without the host.

    ``memory`` is by default that of the preset's board; its name is returned beside the speed.

    Raises
    ------
    TercelError
        If the preset cannot run the model.
    """
    accelerator, name = ACCELERATORS[preset], memory or memory_of(preset)
    base = min(context, min(config.context, accelerator.positions) - 1)

    def seconds(layers: int) -> float:
        model = replace(config, layers=layers)
        return predict_pass(
            model, accelerator, DDR[name], nodes=1, base=base, head_rows=config.vocab_size
        ).seconds

    if config.layers <= MORE:
        return 1 / seconds(config.layers), name
    few, more = seconds(FEW), seconds(MORE)
    return 1 / (few + (more - few) * (config.layers - FEW) / (MORE - FEW)), name
