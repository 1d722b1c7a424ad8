"""Matrices of a checkpoint in the granularity of its image, with the errors that this makes."""

import torch
from torch import Tensor

from tercel_quant.importers import Checkpoint, GroupedTernary, Ternary
from tercel_quant.importers.granularity import refusal, regroup

__all__ = ["MatrixReader", "RoundingErrors"]


class RoundingErrors:
    """Relative errors of the scales of groups, of which only sums are kept."""

    def __init__(self):
        self._worst = self._sum = 0.0
        self._count = 0

    def add(self, errors: Tensor) -> None:
        """Add the errors of one matrix."""
        if len(errors):
            self._worst = max(self._worst, float(errors.max()))
            self._sum += float(errors.sum(dtype=torch.float64))
            self._count += len(errors)

    def summary(self) -> tuple[float, float] | None:
        """Largest and mean error; ``None`` without any."""
        return (self._worst, self._sum / self._count) if self._count else None


class MatrixReader:
    """Reads matrices as floats, or as trits with the scales of a granularity.

    Parameters
    ----------
    checkpoint : Checkpoint
    granularity : str
    requantised : dict of str to float, optional
        Gets the relative error of each matrix whose scales become fewer; without it such a matrix
        is refused.
    errors : RoundingErrors
        Gets the errors of multipliers.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        granularity: str,
        requantised: dict[str, float] | None,
        errors: RoundingErrors,
    ):
        self._checkpoint = checkpoint
        self.granularity = granularity
        self._requantised = requantised
        self._errors = errors

    def read(self, name: str) -> Ternary | Tensor:
        """The matrix of a canonical name.

        Raises
        ------
        TercelError
            If it has more scales than the granularity holds and may not be requantised.
        """
        weight = self._checkpoint.matrix(name)
        if isinstance(weight, Tensor):
            return weight
        found = regroup(weight, self.granularity)
        if not found.exact:
            assert isinstance(weight, GroupedTernary)
            if self._requantised is None:
                raise refusal(name, weight, found, self.granularity)
            self._requantised[name] = found.loss
        self._errors.add(found.rounding)
        return found.ternary
