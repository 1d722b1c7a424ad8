"""Scales of one matrix while its trits are searched: one, one a row, or one a group of a row."""

import abc

import torch
from torch import Tensor

from tercel_quant.group_scales import GROUP, encode_scales, group_magnitudes, spread
from tercel_quant.importers import Ternary

__all__ = ["ScaleGrid", "scale_grid"]


class ScaleGrid(abc.ABC):
    """The scales that one granularity allows.

    Scales are float32 of a shape that broadcasts to (rows, columns), with the columns in the order
    of ``order``. The error of a matrix separates into its rows, so granularities of rows choose
    between candidates row by row.

    Parameters
    ----------
    weight : Tensor, float32, shape (rows, columns)
        The weights in their own order.
    order : Tensor, int64, shape (columns,)
        The column of ``weight`` at each place.
    """

    def __init__(self, weight: Tensor, order: Tensor):
        self._columns = weight.shape[1]
        self._order = order

    @abc.abstractmethod
    def start(self) -> Tensor:
        """The mean magnitudes of the weights, to which candidate scales are relative."""

    @abc.abstractmethod
    def errors(self, difference: Tensor, moments: Tensor) -> Tensor:
        """Output error of each part that has scales of its own, shape (parts, 1)."""

    @abc.abstractmethod
    def fit(self, weight: Tensor, trits: Tensor, moments: Tensor, scales: Tensor) -> Tensor:
        """The scales of least output error; ``scales`` stay where the trits say nothing."""

    def ternary(self, trits: Tensor, scales: Tensor) -> Ternary:
        """The result, with the columns in their own order."""
        own = self._order.argsort()
        return self._ternary(trits[:, own].char(), scales)

    @abc.abstractmethod
    def _ternary(self, trits: Tensor, scales: Tensor) -> Ternary: ...


def _row_errors(difference: Tensor, moments: Tensor) -> Tensor:
    return ((difference @ moments) * difference).sum(1, keepdim=True)


class TensorGrid(ScaleGrid):
    """One scale for the matrix; scales have the shape (1, 1)."""

    def __init__(self, weight: Tensor, order: Tensor):
        super().__init__(weight, order)
        self._start = weight.abs().mean().view(1, 1)

    def start(self) -> Tensor:
        return self._start

    def errors(self, difference: Tensor, moments: Tensor) -> Tensor:
        return _row_errors(difference, moments).sum(0, keepdim=True)

    def fit(self, weight: Tensor, trits: Tensor, moments: Tensor, scales: Tensor) -> Tensor:
        seen = trits @ moments
        norm, product = (seen * trits).sum(), (seen * weight).sum()
        return (product / norm).clamp_min(0).view(1, 1) if norm > 0 else torch.zeros(1, 1)

    def _ternary(self, trits: Tensor, scales: Tensor) -> Ternary:
        return Ternary(trits=trits, scale=float(scales))


class RowGrid(ScaleGrid):
    """One scale for each row; scales have the shape (rows, 1)."""

    def __init__(self, weight: Tensor, order: Tensor):
        super().__init__(weight, order)
        self._start = weight.abs().mean(1, keepdim=True)

    def start(self) -> Tensor:
        return self._start

    def errors(self, difference: Tensor, moments: Tensor) -> Tensor:
        return _row_errors(difference, moments)

    def fit(self, weight: Tensor, trits: Tensor, moments: Tensor, scales: Tensor) -> Tensor:
        seen = trits @ moments
        norm, product = ((seen * each).sum(1, keepdim=True) for each in (trits, weight))
        return torch.where((norm > 0) & (product > 0), product / norm, scales)

    def _ternary(self, trits: Tensor, scales: Tensor) -> Ternary:
        used = trits.any(1)
        return Ternary(trits=trits, scale=scales.flatten() * used)


class GroupGrid(ScaleGrid):
    """One scale for each 128 columns of a row, a multiple of the row's own scale.

    Scales have the shape (rows, columns) and are always those that the device can hold.
    """

    RIDGE = 1e-6
    """Fraction of the mean of the diagonal that keeps the normal equations solvable."""

    def __init__(self, weight: Tensor, order: Tensor):
        super().__init__(weight, order)
        self._place = order // GROUP
        self._member = torch.nn.functional.one_hot(self._place).float()
        self._start = group_magnitudes(weight)

    def start(self) -> Tensor:
        return self._start[:, self._place]

    def errors(self, difference: Tensor, moments: Tensor) -> Tensor:
        return _row_errors(difference, moments)

    def fit(self, weight: Tensor, trits: Tensor, moments: Tensor, scales: Tensor) -> Tensor:
        groups = self._member.shape[1]
        products = ((weight @ moments) * trits) @ self._member
        normal = torch.empty(len(trits), groups, groups)
        for group in range(groups):
            columns = (self._place == group).nonzero().flatten()
            seen = trits[:, columns] @ moments[columns]
            normal[:, group] = (seen * trits) @ self._member
        diagonal = normal.diagonal(dim1=1, dim2=2)
        ridge = (self.RIDGE * diagonal.mean(1, keepdim=True)).clamp_min(1e-30)
        solved = torch.linalg.solve(normal + torch.diag_embed(ridge.expand_as(diagonal)), products)
        held = self._by_group(scales)
        solved = torch.where((diagonal > 0) & (solved > 0), solved, held)
        row, multipliers = encode_scales(solved)
        return (multipliers * row[:, None])[:, self._place]

    def _by_group(self, scales: Tensor) -> Tensor:
        """Scales of shape (rows, groups) out of those of the columns."""
        first = torch.stack(
            [(self._place == group).nonzero()[0, 0] for group in range(self._member.shape[1])]
        )
        return scales[:, first]

    def _ternary(self, trits: Tensor, scales: Tensor) -> Ternary:
        groups = self._by_group(scales)
        used = torch.stack([part.any(1) for part in trits.split(GROUP, 1)], 1)
        row, multipliers = encode_scales(groups * used)
        return Ternary(
            trits=trits * (spread(multipliers, self._columns) > 0),
            scale=row,
            multipliers=multipliers,
        )


GRIDS: dict[str, type[ScaleGrid]] = {"tensor": TensorGrid, "row": RowGrid, "group": GroupGrid}


def scale_grid(granularity: str, weight: Tensor, order: Tensor) -> ScaleGrid:
    """The grid of a granularity."""
    return GRIDS[granularity](weight, order)
