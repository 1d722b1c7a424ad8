"""The decoder-only transformer of a :class:`tercel.config.ModelConfig`, for training."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from tercel.config import ModelConfig
from tercel.errors import TercelError
from tercel_quant.bitlinear import BitLinear, project
from tercel_quant.reference import rope

__all__ = ["Transformer"]


class RMSNorm(nn.Module):
    """Root-mean-square norm with a gain, in float32.

    Members
    -------
    weight : Parameter, float32, shape (width,)
    """

    def __init__(self, *, width: int, epsilon: float):
        super().__init__()
        self.epsilon = epsilon
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the last axis; shape kept."""
        x = x.float()
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.epsilon) * self.weight


class Layer(nn.Module):
    """Attention and gated MLP, each on the normalised residual stream.

    Members
    -------
    q, k, v, o, gate, up, down : BitLinear
    attention_norm, mlp_norm, attention_sub_norm, mlp_sub_norm, q_norm, k_norm : RMSNorm
        The sub-norms exist only if ``config.sub_norms``, the last two only if ``config.qk_norm``.
    """

    q: BitLinear
    k: BitLinear
    v: BitLinear
    o: BitLinear
    gate: BitLinear
    up: BitLinear
    down: BitLinear
    attention_norm: RMSNorm
    mlp_norm: RMSNorm
    attention_sub_norm: RMSNorm
    mlp_sub_norm: RMSNorm
    q_norm: RMSNorm
    k_norm: RMSNorm

    def __init__(self, config: ModelConfig, precision: str):
        super().__init__()
        self.config = config
        for name, width in config.norms().items():
            self.add_module(name, RMSNorm(width=width, epsilon=config.norm_epsilon))
        for name, (rows, columns) in config.linears().items():
            linear = BitLinear(
                rows=rows, columns=columns, precision=precision, granularity=config.granularity
            )
            self.add_module(name, linear)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Map the residual stream, shape (batch, time, hidden_size), to its next value."""
        x = x + self.o(self._attend(self.attention_norm(x), cos, sin))
        gate, up = project(self.mlp_norm(x), self.gate, self.up)
        gated = functional.silu(gate) if self.config.activation == "silu" else gate.relu().square()
        inner = gated * up
        return x + self.down(self.mlp_sub_norm(inner) if self.config.sub_norms else inner)

    def _attend(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        q, k, v = (
            y.unflatten(-1, (-1, self.config.head_size)) for y in project(x, self.q, self.k, self.v)
        )
        if self.config.qk_norm:
            q, k = self.q_norm(q), self.k_norm(k)
        q, k, v = (y.transpose(1, 2) for y in (q, k, v))
        y = functional.scaled_dot_product_attention(
            rotate(q, cos, sin).to(v.dtype),
            rotate(k, cos, sin).to(v.dtype),
            v,
            is_causal=True,
            enable_gqa=self.config.heads != self.config.kv_heads,
        )
        y = y.transpose(1, 2).flatten(2)
        return self.attention_sub_norm(y) if self.config.sub_norms else y


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary position embedding, rotate-half convention (element i pairs with i + half).

    Parameters
    ----------
    x : Tensor, float, shape (..., time, head_size)
    cos, sin : Tensor, float32, shape (time, head_size)

    Returns
    -------
    Tensor, shape of ``x``
    """
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-second, first), dim=-1) * sin


class Transformer(nn.Module):
    """The model of a config, in full precision or with quantisation-aware linears.

    Both precisions have the same parameters, so a checkpoint of one loads into the other.
    Token embedding and head stay full precision; the exporter rounds them to int8 per row.

    Parameters
    ----------
    config : ModelConfig
    precision : str
        ``float`` or ``ternary``.

    Members
    -------
    embedding : nn.Embedding
    layers : nn.ModuleList of Layer
    norm : RMSNorm
    head : nn.Linear
        Absent if the head is tied to the embedding.

    Raises
    ------
    TercelError
        If the precision is unknown, or embedding and head are to be ternary.
    """

    cos: Tensor
    sin: Tensor

    def __init__(self, config: ModelConfig, *, precision: str = "ternary"):
        super().__init__()
        if config.ternary_head:
            raise TercelError(
                "ternary_head must be false to train a model: embedding and head are trained as "
                "floats, and rounded to int8 rows"
            )
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Layer(config, precision) for _ in range(config.layers))
        self.norm = RMSNorm(width=config.hidden_size, epsilon=config.norm_epsilon)
        if not config.tied_head:
            self.head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        for name, half in zip(("cos", "sin"), rope(config, config.context), strict=True):
            self.register_buffer(name, torch.cat((half, half), dim=-1), persistent=False)

    @torch.no_grad()
    def initialise(self, seed: int) -> None:
        """Draw fresh weights: embeddings at 0.02, matrices at ``columns ** -0.5``.

        The matrices that write to the residual stream are smaller by ``(2 * layers) ** -0.5``.
        """
        generator = torch.Generator().manual_seed(seed)
        for name, parameter in self.named_parameters():
            if parameter.dim() == 1:
                parameter.fill_(1)
                continue
            deviation = 0.02
            if name.startswith("layers."):
                deviation = parameter.shape[1] ** -0.5
                if name.split(".")[2] in ("o", "down"):
                    deviation *= (2 * self.config.layers) ** -0.5
            parameter.normal_(0, deviation, generator=generator)

    def forward(self, tokens: Tensor) -> Tensor:
        """Next-token logits.

        Parameters
        ----------
        tokens : Tensor, int64, shape (batch, time)
            ``time`` at most ``config.context``.

        Returns
        -------
        Tensor, shape (batch, time, vocab_size)
            bfloat16 under autocast, else float32.
        """
        time = tokens.shape[1]
        cos, sin = self.cos[:time], self.sin[:time]
        x = self.embedding(tokens)
        for layer in self.layers:
            x = layer(x, cos, sin)
        head = self.embedding if self.config.tied_head else self.head
        return functional.linear(self.norm(x), head.weight)

    @torch.no_grad()
    def reference_logits(self, tokens: Tensor) -> Tensor:
        """:meth:`forward` in float32, without autocast or gradients; used for evaluation."""
        with torch.autocast(tokens.device.type, enabled=False):
            return self(tokens)
