"""Embeddings and heads whose rows are ternary with groups."""

from collections.abc import Iterator

import torch

from tercel.errors import TercelError
from tercel_quant.importers.checkpoint import Checkpoint
from tercel_quant.importers.granularity import Regrouped, regroup
from tercel_quant.importers.ternary import Ternary, recognise

__all__ = ["has_ternary_rows", "ternary_rows"]


def has_ternary_rows(checkpoint: Checkpoint, name: str) -> bool:
    """True if all rows of ``embedding`` or ``head`` are ternary with at most a scale a group."""
    return all(found is not None and found.exact for found in _blocks(checkpoint, name))


def ternary_rows(checkpoint: Checkpoint, name: str) -> Regrouped:
    """The rows of ``embedding`` or ``head`` with groups.

    Raises
    ------
    TercelError
        If they are not :func:`has_ternary_rows`.
    """
    parts = []
    for found in _blocks(checkpoint, name):
        if found is None or not found.exact:
            raise TercelError(f"{name} is not ternary with a scale for each group of columns")
        parts.append(found)
    trits, scales, multipliers = [], [], []
    for part in parts:
        trits.append(part.ternary.trits)
        scales.append(torch.as_tensor(part.ternary.scale))
        multipliers.append(part.ternary.multipliers)
    ternary = Ternary(
        trits=torch.cat(trits), scale=torch.cat(scales), multipliers=torch.cat(multipliers)
    )
    rounding = torch.cat([part.rounding for part in parts])
    return Regrouped(ternary=ternary, exact=True, loss=0.0, rounding=rounding)


def _blocks(checkpoint: Checkpoint, name: str) -> Iterator[Regrouped | None]:
    """The rows in order, some at a time; ``None`` for rows that are not ternary."""
    for block in checkpoint.row_blocks(name):
        known = recognise(block)
        yield None if known is None else regroup(known, "group")
