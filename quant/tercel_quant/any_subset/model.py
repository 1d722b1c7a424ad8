"""A small transformer of two streams that predicts any subset of a text from any other."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from tercel.errors import TercelError

__all__ = ["AnySubsetConfig", "AnySubsetModel"]


@dataclass(frozen=True, kw_only=True)
class AnySubsetConfig:
    """Shape of a model.

    Raises
    ------
    TercelError
        If a field breaks its rule.
    """

    vocab_size: int
    length: int = 64
    """Positions of a text."""
    width: int = 128
    layers: int = 3
    heads: int = 4

    def __post_init__(self):
        for name in ("vocab_size", "length", "width", "layers", "heads"):
            if (value := getattr(self, name)) < 1:
                raise TercelError(f"{name} must be 1 or more, not {value}")
        if self.width % self.heads:
            raise TercelError(f"{self.heads} heads do not divide the width {self.width}")


class AnySubsetModel(nn.Module):
    """Two streams over the same weights, as in XLNet (arXiv 1906.08237).

    The content of a position sees itself and the positions before it in the order. Its query knows
    its place but not its token, and predicts the token from the contents that its row of the mask
    names. A content depends on the order alone, not on which queries are asked, so that one pass
    answers queries with different knowledge.
    """

    def __init__(self, config: AnySubsetConfig):
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.width)
        self.positions = nn.Parameter(torch.zeros(config.length, config.width))
        self.query = nn.Parameter(torch.zeros(config.width))
        self.layers = nn.ModuleList(_Layer(config) for _ in range(config.layers))
        self.norm = nn.RMSNorm(config.width)

    @torch.no_grad()
    def initialise(self, seed: int) -> None:
        """Draw fresh weights."""
        generator = torch.Generator().manual_seed(seed)
        for name, parameter in self.named_parameters():
            if "norm" in name:
                parameter.fill_(1)
            else:
                columns = parameter.shape[-1]
                deviation = columns**-0.5 if name.startswith("layers.") else 0.1
                parameter.normal_(0, deviation, generator=generator)

    def forward(self, tokens: Tensor, ranks: Tensor, knowledge: Tensor) -> Tensor:
        """Predict every position.

        Parameters
        ----------
        tokens : Tensor, int64, shape (texts, length)
        ranks : Tensor, int64, shape (texts, length)
            Place of each position in the order.
        knowledge : Tensor, int64, shape (texts, length)
            Number of positions, the first ones of the order, whose contents a query sees.

        Returns
        -------
        Tensor, float32, shape (texts, length, vocab_size)
            Logits.
        """
        content = self.embedding(tokens) + self.positions
        query = (self.query + self.positions).expand(len(tokens), -1, -1)
        own = ranks[:, None, :] <= ranks[:, :, None]
        asked = ranks[:, None, :] < knowledge[:, :, None]
        for layer in self.layers:
            content, query = layer(content, query, own, asked)
        return functional.linear(self.norm(query), self.embedding.weight)

    @torch.no_grad()
    def probabilities(
        self,
        tokens: npt.NDArray[np.integer],
        order: npt.NDArray[np.integer],
        *,
        asked: slice,
        known: npt.NDArray[np.integer],
    ) -> npt.NDArray[np.float64]:
        """Distributions of some positions of one text, in one pass.

        Parameters
        ----------
        tokens
            ``[length]``; those beyond what is known do not matter.
        order
            ``[length]`` positions, first to last.
        asked
            Places of the order to predict.
        known
            For each of them, the number of positions of the order that it sees.

        Returns
        -------
        ``[asked, vocab_size]``, each a sum of 1.
        """
        ranks = np.argsort(order)
        knowledge = np.zeros(len(order), np.int64)
        knowledge[order[asked]] = known
        rows = [torch.from_numpy(np.asarray(x, np.int64))[None] for x in (tokens, ranks, knowledge)]
        logits = self(*rows)[0, torch.from_numpy(np.asarray(order[asked], np.int64))]
        weights = logits.double().softmax(-1).numpy()
        return weights / weights.sum(-1, keepdims=True)


class _Layer(nn.Module):
    def __init__(self, config: AnySubsetConfig):
        super().__init__()
        width = config.width
        self.heads = config.heads
        self.attention_norm = nn.RMSNorm(width)
        self.q = nn.Linear(width, width, bias=False)
        self.kv = nn.Linear(width, 2 * width, bias=False)
        self.o = nn.Linear(width, width, bias=False)
        self.nothing = nn.Parameter(torch.zeros(2, width))
        """Key and value that every position sees, so that none sees nothing."""
        self.mlp_norm = nn.RMSNorm(width)
        self.up = nn.Linear(width, 4 * width, bias=False)
        self.down = nn.Linear(4 * width, width, bias=False)

    def forward(
        self, content: Tensor, query: Tensor, own: Tensor, asked: Tensor
    ) -> tuple[Tensor, Tensor]:
        kv = self.kv(self.attention_norm(content))
        nothing = self.nothing.flatten().expand(len(kv), 1, -1)
        k, v = self._split(torch.cat((nothing, kv), dim=1), 2)
        return self._stream(content, k, v, own), self._stream(query, k, v, asked)

    def _stream(self, x: Tensor, k: Tensor, v: Tensor, visible: Tensor) -> Tensor:
        (q,) = self._split(self.q(self.attention_norm(x)), 1)
        mask = functional.pad(visible, (1, 0), value=True)[:, None]
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        x = x + self.o(mixed.transpose(1, 2).flatten(2))
        return x + self.down(functional.silu(self.up(self.mlp_norm(x))))

    def _split(self, x: Tensor, parts: int) -> tuple[Tensor, ...]:
        return tuple(
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in x.chunk(parts, dim=-1)
        )
