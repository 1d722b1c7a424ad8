"""Base of trained heads: their output rows, their loss, and their start in closed form."""

import abc

import torch
from torch import Tensor, nn

from tercel.image import Image
from tercel_quant.train_drafter.head_data import Batch, HeadData
from tercel_quant.weights import ImageWeights

__all__ = ["HeadModel", "least_squares"]

RIDGE = 50.0
"""Penalty of a least-squares start."""


class HeadModel(nn.Module, abc.ABC):
    """Heads that map a hidden state and drafted tokens to logits of a trimmed vocabulary.

    Parameters
    ----------
    image
        The model, whose own head is the start of the output rows.
    data
    width
        Width of a state; at most the model's.

    Members
    -------
    output : Parameter, float32, shape (rows, width)
    """

    embedding: Tensor
    basis: Tensor

    def __init__(self, image: Image, data: HeadData, *, width: int):
        super().__init__()
        weights = ImageWeights(image)
        vocabulary = data.vocabulary
        rows = (weights.head()[vocabulary.ids] * weights.norm()).float()
        if width < rows.shape[1]:
            # The directions in which the rows differ most.
            _, directions = torch.linalg.eigh(rows.T @ rows)
            basis = directions[:, -width:]
        else:
            basis = torch.eye(rows.shape[1])
        embedding = weights.embed(torch.arange(image.config.vocab_size))
        self.register_buffer("embedding", embedding, persistent=False)
        self.register_buffer("basis", basis, persistent=False)
        self.output = nn.Parameter(rows @ basis)

    @abc.abstractmethod
    def states(self, hidden: Tensor, tokens: Tensor) -> Tensor:
        """States ``[size, levels, width]`` of the nodes that have these tokens.

        Parameters
        ----------
        hidden : Tensor, float32, shape (size, hidden_size)
            Normalised.
        tokens : Tensor, int64, shape (size, levels)
            The root and the right tokens after it.
        """

    @abc.abstractmethod
    def start(self, batch: Batch) -> None:
        """Set linear parts in closed form, so that states are the hidden states that follow."""

    @abc.abstractmethod
    def matrices(self) -> dict[str, Tensor]:
        """The matrices of the drafter's file by name."""

    @abc.abstractmethod
    def vectors(self) -> dict[str, Tensor]:
        """The vectors of the drafter's file by name."""

    def logits(self, states: Tensor) -> Tensor:
        """Logits ``[..., rows]`` of states ``[..., width]``."""
        return states @ self.output.T

    def losses(self, batch: Batch) -> Tensor:
        """Cross-entropy of the model's distribution at each level, float32, shape (levels,)."""
        logs = self.logits(self.states(batch.hidden, batch.tokens)).log_softmax(-1)
        there = batch.rows >= 0
        chosen = logs.gather(-1, batch.rows.clamp(min=0))
        return -(batch.logs.exp() * there * chosen).sum(-1).mean(0)


def least_squares(inputs: Tensor, outputs: Tensor) -> Tensor:
    """The matrix ``[columns of inputs, columns of outputs]`` that maps one best to the other."""
    square = inputs.T @ inputs + RIDGE * torch.eye(inputs.shape[1])
    return torch.linalg.solve(square, inputs.T @ outputs)
