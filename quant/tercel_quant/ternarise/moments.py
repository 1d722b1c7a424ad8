"""Second moments of a linear's input over the calibration text."""

import torch
from torch import Tensor

__all__ = ["Moments"]


class Moments:
    """Second moments of one linear's inputs in the quantised and in the float network.

    Parameters
    ----------
    columns : int
        Width of the input.

    Members
    -------
    seen : Tensor, float32, shape (columns, columns)
        Sum of ``x x^T`` over the quantised network's inputs x.
    crossed : Tensor, float32, shape (columns, columns)
        Sum of ``y x^T`` with the float network's inputs y to the same tokens.
    """

    def __init__(self, columns: int):
        self.seen = torch.zeros(columns, columns)
        self.crossed = torch.zeros(columns, columns)

    def add(self, quantised: Tensor, original: Tensor) -> None:
        """Add the inputs of the same tokens in both networks, shape (..., columns) each."""
        x, y = quantised.flatten(0, -2), original.flatten(0, -2)
        self.seen.addmm_(x.T, x)
        self.crossed.addmm_(y.T, x)

    def compensated(self, weight: Tensor, *, strength: float, damping: float) -> Tensor:
        """Weights that on the quantised inputs best approximate the original product.

        Least squares with the original weights as prior: ``W (C + d I) (H + d I)^-1``. This
        corrects the error of the earlier layers as far as a linear map can.

        Parameters
        ----------
        weight : Tensor, float32, shape (rows, columns)
        strength : float
            Interpolation from the original weights (0) to the solution (1).
        damping : float
            Weight of the prior, d, as a fraction of the mean second moment.

        Returns
        -------
        Tensor, float32, shape (rows, columns)
        """
        prior = torch.eye(len(self.seen)) * (damping * float(self.seen.diagonal().mean()))
        if not strength or not float(prior[0, 0]):
            return weight
        lower = torch.linalg.cholesky((self.seen + prior).double())
        wanted = (weight.double() @ (self.crossed + prior).double()).T
        solution = torch.cholesky_solve(wanted, lower).T.float()
        return weight + strength * (solution - weight)
