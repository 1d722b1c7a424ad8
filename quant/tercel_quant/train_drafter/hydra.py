"""The recurrent head, for training."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from tercel.image import Image
from tercel_quant.train_drafter.head_data import Batch, HeadData
from tercel_quant.train_drafter.head_model import HeadModel, least_squares

__all__ = ["Cell", "Hydra"]


class Cell(nn.Module):
    """One step of the recurrence, ``B [s; e] + O silu(A [s; e] + c)``.

    Members
    -------
    state : Parameter, float32, shape (columns, inner + width)
        The parts of A and of B for the state before.
    token : Parameter, float32, shape (hidden_size, inner + width)
        The parts for the embedding.
    bias : Parameter, float32, shape (inner + width,)
    output : Parameter, float32, shape (inner, width)
    """

    def __init__(self, *, columns: int, embedding: Tensor, inner: int, width: int):
        super().__init__()
        self._inner = inner
        hidden_size = embedding.shape[1]
        # A starts with inputs of unit deviation, whatever the size of the embeddings.
        unit = 1 / float(embedding.std())
        zeros = torch.zeros
        self.state = nn.Parameter(
            torch.cat((torch.randn(columns, inner) * columns**-0.5, zeros(columns, width)), 1)
        )
        self.token = nn.Parameter(
            torch.cat(
                (
                    torch.randn(hidden_size, inner) * (unit * hidden_size**-0.5),
                    zeros(hidden_size, width),
                ),
                1,
            )
        )
        self.bias = nn.Parameter(zeros(inner + width))
        self.output = nn.Parameter(zeros(inner, width))

    def forward(self, state: Tensor, embedding: Tensor) -> Tensor:
        """Map states ``[size, columns]`` and embeddings to states ``[size, width]``."""
        sums = state @ self.state + embedding @ self.token + self.bias
        inner, linear = sums.split((self._inner, sums.shape[1] - self._inner), dim=1)
        return linear + functional.silu(inner) @ self.output

    @torch.no_grad()
    def start(self, state: Tensor, embedding: Tensor, wanted: Tensor) -> Tensor:
        """Fit the linear part; return the states that it gives."""
        unit = 1 / float(embedding.std())
        inputs = torch.cat((state, embedding * unit), 1)
        found = least_squares(inputs, wanted)
        columns = state.shape[1]
        self.state[:, self._inner :] = found[:columns]
        self.token[:, self._inner :] = found[columns:] * unit
        return inputs @ found


class Hydra(HeadModel):
    """Sequentially dependent heads (Hydra, arXiv 2402.05109) as one recurrent cell.

    Parameters
    ----------
    image, data, width
        As in :class:`HeadModel`.
    inner
        Width of the inner layers, of the first step and of the others.
    """

    def __init__(self, image: Image, data: HeadData, *, width: int, inner: tuple[int, int]):
        super().__init__(image, data, width=width)
        self.first = Cell(
            columns=image.config.hidden_size,
            embedding=self.embedding,
            inner=inner[0],
            width=width,
        )
        self.next = Cell(columns=width, embedding=self.embedding, inner=inner[1], width=width)

    def states(self, hidden: Tensor, tokens: Tensor) -> Tensor:
        embeddings = self.embedding[tokens]
        states = [self.first(hidden, embeddings[:, 0])]
        for level in range(1, tokens.shape[1]):
            states.append(self.next(states[-1], embeddings[:, level]))
        return torch.stack(states, 1)

    @torch.no_grad()
    def start(self, batch: Batch) -> None:
        embeddings = self.embedding[batch.tokens]
        wanted = batch.following @ self.basis
        state = self.first.start(batch.hidden, embeddings[:, 0], wanted[:, 0])
        if batch.tokens.shape[1] > 1:
            self.next.start(state, embeddings[:, 1], wanted[:, 1])

    def matrices(self) -> dict[str, Tensor]:
        return {
            f"{name}.{part}": getattr(cell, part)
            for name, cell in (("first", self.first), ("next", self.next))
            for part in ("state", "token", "output")
        }

    def vectors(self) -> dict[str, Tensor]:
        return {"first.bias": self.first.bias, "next.bias": self.next.bias}
