"""Heads that guess all levels at once: Medusa's, and those of blockwise parallel decoding."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from tercel.image import Image
from tercel_quant.train_drafter.head_data import Batch, HeadData
from tercel_quant.train_drafter.head_model import HeadModel, least_squares

__all__ = ["Blockwise", "Medusa"]


class Medusa(HeadModel):
    """One residual block a head (arXiv 2401.10774): ``y + silu(A y + b)``.

    As published ``y`` is the hidden state from which the root was drawn, so a head guesses without
    the root. Here a head that sees the root has ``y = B [h; e]`` with the root's embedding ``e``.

    Parameters
    ----------
    image, data
        As in :class:`HeadModel`; states have the model's width.
    sees_root

    Members
    -------
    block : Parameter, float32, shape (levels, hidden_size, hidden_size)
    bias : Parameter, float32, shape (levels, hidden_size)
    state, token : Parameter, float32, shape (levels, hidden_size, hidden_size)
        The two parts of B; absent without the root.
    """

    def __init__(self, image: Image, data: HeadData, *, sees_root: bool):
        size, levels = image.config.hidden_size, data.levels
        super().__init__(image, data, width=size)
        self.sees_root = sees_root
        self.block = nn.Parameter(torch.zeros(levels, size, size))
        self.bias = nn.Parameter(torch.zeros(levels, size))
        if sees_root:
            self.state = nn.Parameter(torch.zeros(levels, size, size))
            self.token = nn.Parameter(torch.zeros(levels, size, size))

    def states(self, hidden: Tensor, tokens: Tensor) -> Tensor:
        y = hidden[:, None].expand(-1, len(self.bias), -1)
        if self.sees_root:
            y = torch.einsum("nd,ldw->nlw", hidden, self.state)
            y = y + torch.einsum("nd,ldw->nlw", self.embedding[tokens[:, 0]], self.token)
        return y + functional.silu(torch.einsum("nld,ldw->nlw", y, self.block) + self.bias)

    @torch.no_grad()
    def start(self, batch: Batch) -> None:
        if not self.sees_root:
            return
        unit = 1 / float(self.embedding.std())
        inputs = torch.cat((batch.hidden, self.embedding[batch.tokens[:, 0]] * unit), 1)
        for level, wanted in enumerate(batch.following.unbind(1)):
            found = least_squares(inputs, wanted)
            self.state[level] = found[: len(found) // 2]
            self.token[level] = found[len(found) // 2 :] * unit

    def matrices(self) -> dict[str, Tensor]:
        found = {"block": self.block.flatten(0, 1)}
        if self.sees_root:
            found |= {name: getattr(self, name).flatten(0, 1) for name in ("state", "token")}
        return found

    def vectors(self) -> dict[str, Tensor]:
        return {"bias": self.bias}


class Blockwise(HeadModel):
    """Heads of blockwise parallel decoding (Stern et al., 2018).

    One feed-forward layer gives the outputs of all heads, each added to the hidden state:
    ``h + O_k silu(A h + b)``, by default ``h + O_k silu(A [h; e] + b)`` with the root's embedding.

    Parameters
    ----------
    image, data
        As in :class:`HeadModel`; states have the model's width.
    inner
        Width of the inner layer.
    sees_root

    Members
    -------
    state, token : Parameter, float32, shape (hidden_size, inner)
        The parts of A; ``token`` is absent without the root.
    bias : Parameter, float32, shape (inner,)
    block : Parameter, float32, shape (inner, levels * hidden_size)
    """

    def __init__(self, image: Image, data: HeadData, *, inner: int, sees_root: bool):
        size = image.config.hidden_size
        super().__init__(image, data, width=size)
        self.sees_root = sees_root
        self.state = nn.Parameter(torch.randn(size, inner) * size**-0.5)
        self.bias = nn.Parameter(torch.zeros(inner))
        self.block = nn.Parameter(torch.zeros(inner, data.levels * size))
        if sees_root:
            unit = 1 / float(self.embedding.std())
            self.token = nn.Parameter(torch.randn(size, inner) * (unit * size**-0.5))

    def states(self, hidden: Tensor, tokens: Tensor) -> Tensor:
        sums = hidden @ self.state + self.bias
        if self.sees_root:
            sums = sums + self.embedding[tokens[:, 0]] @ self.token
        outputs = functional.silu(sums) @ self.block
        return hidden[:, None] + outputs.unflatten(1, (-1, hidden.shape[1]))

    @torch.no_grad()
    def start(self, batch: Batch) -> None:
        """Fit the outputs on random inner features."""
        sums = batch.hidden @ self.state + self.bias
        if self.sees_root:
            sums = sums + self.embedding[batch.tokens[:, 0]] @ self.token
        wanted = (batch.following - batch.hidden[:, None]).flatten(1)
        self.block.copy_(least_squares(functional.silu(sums), wanted))

    def matrices(self) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {"state": self.state, "block": self.block}
        if self.sees_root:
            found["token"] = self.token
        return found

    def vectors(self) -> dict[str, Tensor]:
        return {"bias": self.bias}
