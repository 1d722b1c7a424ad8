"""Trits of a head's rows that rank them as the rows themselves do."""

import torch
from torch import Tensor

from tercel_quant.importers import Ternary
from tercel_quant.ternarise.rounding import RoundingConfig, round_to_trits

__all__ = ["ROUNDING", "shortlist_trits"]

ROUNDING = RoundingConfig(scales=(1.2, 1.5, 1.8, 2.1), sweeps=6)
"""Each row chooses its scale; more sweeps gain little."""
PART = 16384
"""Rows that are rounded at a time; a row does not depend on the others."""


@torch.no_grad()
def shortlist_trits(rows: Tensor, moments: Tensor, config: RoundingConfig = ROUNDING) -> Ternary:
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

    Returns
    -------
    Ternary
        With a scale for each row.
    """
    found = [round_to_trits(part, moments, config, "row") for part in rows.split(PART)]
    return Ternary(
        trits=torch.cat([part.trits for part in found]),
        scale=torch.cat([torch.as_tensor(part.scale) for part in found]),
    )
