"""Trits of a head's rows that rank them as the rows themselves do."""

from collections.abc import Callable

import torch
from torch import Tensor

from tercel_quant.importers import Ternary
from tercel_quant.ternarise.rounding import RoundingConfig, round_to_trits

__all__ = ["ROUNDING", "shortlist_trits"]

ROUNDING = RoundingConfig(scales=(1.2, 1.5, 1.8, 2.1), sweeps=6)
"""Each row chooses its scale; more sweeps gain little."""
PART = 4096
"""Rows that are rounded at a time; a row does not depend on the others."""


@torch.no_grad()
def shortlist_trits(
    rows: Tensor,
    moments: Tensor,
    config: RoundingConfig = ROUNDING,
    report: Callable[[int], None] = lambda count: None,
) -> Ternary:
    """Find trits and a scale of each row with a small error of the row's products.

    The moments are those about zero, not about the mean: a large part of the inputs' energy is in
    their mean, so that the error of a row's product with the mean, which would rank the row too
    high or too low in every list, becomes nearly zero.

    Parameters
    ----------
    rows : Tensor, float32, shape (rows, columns)
    moments : Tensor, float32, shape (columns, columns)
        Mean of ``x x^T`` over the head's inputs.
    config : RoundingConfig
    report : callable
        Called with the number of rows that are done, after each part of them.

    Returns
    -------
    Ternary
        With a scale for each row.
    """
    found: list[Ternary] = []
    for start in range(0, len(rows), PART):
        part = rows[start : start + PART]
        found.append(round_to_trits(part, moments, config, "row"))
        report(start + len(part))
    return Ternary(
        trits=torch.cat([part.trits for part in found]),
        scale=torch.cat([torch.as_tensor(part.scale) for part in found]),
    )
