"""Errors of trained heads on held-out text, from which their estimates are made."""

from dataclasses import dataclass

import torch
from torch import Tensor

from tercel_quant.train_drafter.head_data import Batch, HeadData
from tercel_quant.train_drafter.head_model import HeadModel

__all__ = ["TEMPERATURES", "Calibration", "calibrate"]

TEMPERATURES = (0.0, 0.8)
"""Temperatures of the draws that are guessed."""
SPREADS = torch.logspace(-1.5, 1, 60)
"""Spreads from which the best is chosen, in nats."""
POSITIONS = 6000
RANKS = 8


@dataclass(frozen=True, kw_only=True, eq=False)
class Calibration:
    """Figures by temperature (0, and one above it) and level, given that the level before was
    right."""

    spread: Tensor
    """float32 ``[2, levels]``, the scale of the error of a logit, in nats."""
    coverage: Tensor
    """float32 ``[2, levels]``, probability that the drawn token is among the candidates."""
    accuracy: Tensor
    """float32 ``[2, levels, ranks]``, probability that the token of each rank is the drawn one."""


@torch.no_grad()
def calibrate(model: HeadModel, data: HeadData) -> Calibration:
    """Guess draws with shared noise on held-out positions."""
    batch = data.held_out(POSITIONS)
    states = model.states(batch.hidden, batch.tokens)
    candidates = data.vocabulary.candidates[batch.tokens]
    logits = torch.stack(
        [
            torch.einsum("nw,ncw->nc", states[:, level], model.output[candidates[:, level]])
            for level in range(data.levels)
        ],
        1,
    )
    generator = torch.Generator().manual_seed(0)
    found = [_guess(batch, logits, candidates, each, generator) for each in TEMPERATURES]
    spread, coverage, accuracy = (torch.stack(parts) for parts in zip(*found, strict=True))
    return Calibration(spread=spread, coverage=coverage, accuracy=accuracy)


def _guess(
    batch: Batch,
    logits: Tensor,
    candidates: Tensor,
    temperature: float,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor, Tensor]:
    """Spread ``[levels]``, coverage ``[levels]`` and accuracy ``[levels, ranks]``."""
    uniform = torch.rand(batch.logs.shape, generator=generator, dtype=torch.float64)
    noise = -(-uniform.clamp(min=1e-300).log()).log().float()
    drawn = (batch.logs + temperature * noise).argmax(-1, keepdim=True)
    # The candidates' noise: that of the model's likeliest tokens is shared.
    uniform = torch.rand(logits.shape, generator=generator, dtype=torch.float64)
    own = -(-uniform.clamp(min=1e-300).log()).log().float()
    spread, coverage, accuracy = [], [], []
    for level in range(logits.shape[1]):
        same = candidates[:, level, :, None] == batch.rows[:, level, None, :]
        shared = torch.where(same, noise[:, level, None, :], 0).sum(-1)
        values = torch.where(same.any(-1), shared, own[:, level])
        scores = logits[:, level] + temperature * values
        row = batch.rows[:, level].gather(-1, drawn[:, level])
        right = (candidates[:, level] == row) & (row >= 0)
        covered = right.any(-1)
        place = right[covered].float().argmax(-1)
        logs = (scores[covered, None] / SPREADS[:, None]).log_softmax(-1)
        errors = -logs.gather(-1, place[:, None, None].expand(-1, len(SPREADS), 1)).mean((0, 2))
        spread.append(SPREADS[errors.argmin()])
        coverage.append(covered.float().mean())
        order = scores.topk(min(RANKS, scores.shape[1])).indices
        accuracy.append(right.gather(-1, order).float().mean(0))
    return torch.stack(spread), torch.stack(coverage), torch.stack(accuracy)
