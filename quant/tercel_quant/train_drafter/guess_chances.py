"""Chances that guesses are right, by depth and rank, on a model's own text."""

import torch
from torch import Tensor

from tercel_quant.train_drafter.frozen_model import FrozenModel
from tercel_quant.train_drafter.prompt_tokens import guess_streams

__all__ = ["guess_chances"]

WINDOWS = 4
"""Windows that are processed together."""


@torch.no_grad()
def guess_chances(
    model: FrozenModel,
    rows: Tensor,
    text: Tensor,
    *,
    ranks: int,
    temperature: float,
    places: int,
    seed: int,
) -> Tensor:
    """Measure how often the guess of each prompt token and rank is the token drawn.

    A draw adds Gumbel noise to the model's distribution at the same place of the text, and the
    guesses of the highest logits are ranked with the same noise, as drafters do.

    Parameters
    ----------
    model : FrozenModel
    rows : Tensor, float32, shape (m, hidden_size)
        Prompt tokens.
    text : Tensor, int64, shape (windows, time)
    ranks : int
        Guesses by logit that are ranked.
    temperature : float
        Of the draws; 0 takes the likeliest token, without noise.
    places : int
        Places in each window, chosen at random.
    seed : int

    Returns
    -------
    Tensor, float64, shape (m, ranks)
        Each row's sum is at most 1.
    """
    generator = torch.Generator().manual_seed(seed)
    most = len(rows)
    counts = torch.zeros(most, ranks, dtype=torch.float64)
    total = 0
    for windows in text.split(WINDOWS):
        usable = windows.shape[1] - most - 1
        chosen = torch.randperm(usable, generator=generator)[:places].sort().values
        guesses, stream = guess_streams(model, rows, windows, chosen)
        later = chosen[:, None] + 1 + torch.arange(most)
        logits = model.logits(stream[:, later])
        best = model.logits(guesses).topk(ranks)
        noise = torch.zeros(())
        if temperature:
            uniform = torch.rand(logits.shape, generator=generator, dtype=torch.float64)
            noise = -temperature * (-uniform.clamp(1e-300).log()).log()
        drawn = (logits + noise).argmax(-1, keepdim=True)
        scores = best.values.double()
        if temperature:
            scores = scores + noise.gather(-1, best.indices)
        order = scores.argsort(dim=-1, descending=True, stable=True)
        right = best.indices.gather(-1, order) == drawn
        counts += right.double().sum((0, 1))
        total += len(windows) * len(chosen)
    return counts / total
