"""Speed of a model on a preset accelerator, by the cycle model."""

from dataclasses import replace

from tercel.config import ModelConfig
from tercel_hw.top import ACCELERATORS
from tercel_sim.cycle_model import predict_pass
from tercel_sim.ddr import DDR

__all__ = ["MEMORY", "predicted_speed"]

MEMORY = "kv260-15.0"
"""Preset of the memory."""
FEW, MORE = 2, 4
"""Numbers of layers that are predicted; deeper models are extrapolated, since layers are equal."""


def predicted_speed(config: ModelConfig, *, preset: str, context: int) -> float:
    """Tokens a second of plain decoding behind ``context`` positions, without the host.

    Raises
    ------
    TercelError
        If the preset cannot run the model.
    """
    accelerator, memory = ACCELERATORS[preset], DDR[MEMORY]
    base = min(context, min(config.context, accelerator.positions) - 1)

    def seconds(layers: int) -> float:
        model = replace(config, layers=layers)
        return predict_pass(
            model, accelerator, memory, nodes=1, base=base, head_rows=config.vocab_size
        ).seconds

    if config.layers <= MORE:
        return 1 / seconds(config.layers)
    few, more = seconds(FEW), seconds(MORE)
    return 1 / (few + (more - few) * (config.layers - FEW) / (MORE - FEW))
