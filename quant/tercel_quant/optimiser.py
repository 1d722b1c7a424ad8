"""The optimisers of a run: Muon for the layers' matrices, AdamW for everything else."""

import torch
from torch import nn
from torch.optim import Optimizer

from tercel_quant.training_config import TrainingConfig

__all__ = ["Optimisers"]


class Optimisers:
    """One or two optimisers that step together under one schedule.

    Parameters
    ----------
    model : nn.Module
        Matrices under ``layers.`` get ``matrix_learning_rate`` and weight decay.
    config : TrainingConfig

    Members
    -------
    parts : list of Optimizer
    """

    parts: list[Optimizer]

    def __init__(self, model: nn.Module, config: TrainingConfig):
        matrices, others = [], []
        for name, parameter in model.named_parameters():
            inside = parameter.dim() == 2 and "layers." in name
            (matrices if inside else others).append(parameter)
        decay = config.weight_decay
        peak = config.matrix_learning_rate
        rest = {"params": others, "lr": config.learning_rate, "weight_decay": 0.0}
        betas = (0.9, 0.95)
        if config.optimiser == "muon":
            muon = torch.optim.Muon(
                matrices, lr=peak, weight_decay=decay, adjust_lr_fn="match_rms_adamw"
            )
            self.parts = [muon, torch.optim.AdamW([rest], betas=betas)]
        else:
            inner = {"params": matrices, "lr": peak, "weight_decay": decay}
            self.parts = [torch.optim.AdamW([inner, rest], betas=betas)]
        self._peaks = [[group["lr"] for group in o.param_groups] for o in self.parts]

    def step(self, factor: float) -> None:
        """Update at ``factor`` times the peak learning rates, then clear the gradients."""
        for optimiser, peaks in zip(self.parts, self._peaks, strict=True):
            for group, peak in zip(optimiser.param_groups, peaks, strict=True):
                group["lr"] = peak * factor
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
