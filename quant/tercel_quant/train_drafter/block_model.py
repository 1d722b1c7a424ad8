"""The one-step diffusion drafter of DEER (arXiv 2512.15176), for training."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from tercel.errors import TercelError

__all__ = ["BlockConfig", "BlockModel"]


@dataclass(frozen=True, kw_only=True)
class BlockConfig:
    """Shape of the drafter.

    Raises
    ------
    TercelError
        If a field breaks its rule.
    """

    context: int = 16
    """Tokens of the text that it sees."""
    masks: int = 7
    """Tokens that it fills in one step."""
    layers: int = 2
    heads: int = 4
    ffn_size: int = 512
    epsilon: float = 1e-5

    def __post_init__(self):
        for name in ("context", "masks", "layers", "heads", "ffn_size"):
            if (value := getattr(self, name)) < 1:
                raise TercelError(f"{name} must be 1 or more, not {value}")


class BlockModel(nn.Module):
    """A small transformer without a causal mask over the last tokens and masks behind them.

    One step gives, for every mask, a distribution that depends on the text alone. Embedding and
    head are the target's own and are not trained.

    Parameters
    ----------
    config : BlockConfig
    embedding : Tensor, float32, shape (vocab_size, width)
    head : Tensor, float32, shape (words, width)
        The head's rows of the tokens that can be drafted.

    Raises
    ------
    TercelError
        If the heads do not divide the width.
    """

    embedding: Tensor
    head: Tensor

    def __init__(self, config: BlockConfig, embedding: Tensor, head: Tensor):
        super().__init__()
        width = embedding.shape[1]
        if width % config.heads:
            raise TercelError(f"{config.heads} heads do not divide the width {width}")
        self.config = config
        self.register_buffer("embedding", embedding, persistent=False)
        self.register_buffer("head", head, persistent=False)
        self.positions = nn.Parameter(torch.zeros(config.context + config.masks, width))
        self.input_norm = nn.Parameter(torch.ones(width))
        self.layers = nn.ModuleList(_BlockLayer(config, width) for _ in range(config.layers))
        self.norm = nn.Parameter(torch.ones(width))

    @torch.no_grad()
    def initialise(self, seed: int) -> None:
        """Draw fresh weights."""
        generator = torch.Generator().manual_seed(seed)
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                deviation = 0.3 if name == "positions" else parameter.shape[1] ** -0.5
                if name.endswith((".o", ".down")):
                    deviation *= (2 * self.config.layers) ** -0.5
                parameter.normal_(0, deviation, generator=generator)

    def forward(self, tokens: Tensor) -> Tensor:
        """Fill the masks.

        Parameters
        ----------
        tokens : Tensor, int64, shape (windows, context)

        Returns
        -------
        Tensor, float32, shape (windows, masks, words)
            Logits.
        """
        epsilon, context = self.config.epsilon, self.config.context
        x = self.positions.expand(len(tokens), -1, -1)
        embedded = _norm(self.embedding[tokens], self.input_norm, epsilon)
        x = torch.cat((x[:, :context] + embedded, x[:, context:]), dim=1)
        for layer in self.layers:
            x = layer(x)
        return functional.linear(_norm(x[:, context:], self.norm, epsilon), self.head)


class _BlockLayer(nn.Module):
    def __init__(self, config: BlockConfig, width: int):
        super().__init__()
        self.config = config
        self.attention_norm = nn.Parameter(torch.ones(width))
        self.qkv = nn.Parameter(torch.empty(3 * width, width))
        self.o = nn.Parameter(torch.empty(width, width))
        self.mlp_norm = nn.Parameter(torch.ones(width))
        self.up = nn.Parameter(torch.empty(config.ffn_size, width))
        self.down = nn.Parameter(torch.empty(width, config.ffn_size))

    def forward(self, x: Tensor) -> Tensor:
        config = self.config
        normed = _norm(x, self.attention_norm, config.epsilon)
        q, k, v = (
            part.unflatten(-1, (config.heads, -1)).transpose(1, 2)
            for part in functional.linear(normed, self.qkv).chunk(3, dim=-1)
        )
        mixed = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        x = x + functional.linear(mixed, self.o)
        inner = functional.linear(_norm(x, self.mlp_norm, config.epsilon), self.up)
        return x + functional.linear(inner.relu().square(), self.down)


def _norm(x: Tensor, gain: Tensor, epsilon: float) -> Tensor:
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + epsilon) * gain
