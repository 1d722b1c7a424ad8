"""Post-training ternarisation of a float model, layer by layer through the quantised network.

The calibration text runs through the quantised and the float network in parallel. Each linear is
rounded on its inputs in the quantised network, towards its outputs in the float network. The
quantised network rounds as the device does: the inputs of the linears, queries, keys and values are
int8, and the scales of groups are the multipliers of the image.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from tercel.config import ModelConfig
from tercel.errors import TercelError
from tercel_quant.bitlinear import quantise_activations, quantise_blocks
from tercel_quant.importers import Checkpoint, GroupedTernary, Ternary
from tercel_quant.importers.granularity import refusal, regroup
from tercel_quant.reference import Linear, activate, attend, rms_norm, rope
from tercel_quant.ternarise.balance import balance
from tercel_quant.ternarise.moments import Moments
from tercel_quant.ternarise.rounding import RoundingConfig, round_to_trits

__all__ = ["CalibrationConfig", "calibrated_layers"]


@dataclass(frozen=True, kw_only=True)
class CalibrationConfig:
    """Parameters of the ternarisation of a float model.

    Raises
    ------
    TercelError
        If a field breaks its rule; the message quotes the field and its value.
    """

    rounding: RoundingConfig = field(default_factory=RoundingConfig)
    compensation: float = 1.0
    """Strength of the refit of the weights to the quantised inputs, 0 to 1."""
    windows: int = 4
    """Windows of text that a linear processes together."""

    def __post_init__(self):
        if not 0 <= self.compensation <= 1:
            raise TercelError(f"compensation must be in 0..1, not {self.compensation!r}")
        if self.windows < 1:
            raise TercelError(f"windows must be at least 1, not {self.windows!r}")


@dataclass
class _Pair:
    """A value in the quantised and in the float network, float32, shape (windows, time, width)."""

    quantised: Tensor
    original: Tensor
    weight: Tensor | float = 1.0
    """Weight of each token in the moments, a number or shape (windows, time, 1)."""

    def error(self) -> float:
        """Mean over the tokens of the squared difference over the squared original."""
        distance = (self.quantised - self.original).square().sum(-1)
        return float((distance / self.original.square().sum(-1).clamp_min(1e-30)).mean())

    def split(self, windows: int) -> Iterator["_Pair"]:
        """Views of ``windows`` windows at a time, all with weight 1."""
        parts = zip(self.quantised.split(windows), self.original.split(windows), strict=True)
        return (_Pair(*part) for part in parts)


@torch.no_grad()
def calibrated_layers(
    checkpoint: Checkpoint,
    embedding: Tensor,
    tokens: Tensor,
    config: CalibrationConfig,
    report: Callable[[str], None],
    *,
    granularity: str = "tensor",
    requantize: bool = False,
) -> Iterator[tuple[str, Ternary | Tensor]]:
    """Ternarise the layers of a checkpoint without sub-norms.

    Memory: one layer's weights, and for all tokens the residual streams and the inputs of the
    widest linear, at most ``16 * (hidden_size + ffn_size)`` bytes per token.

    Parameters
    ----------
    checkpoint : Checkpoint
        A checkpoint with float matrices; ternary matrices are kept.
    embedding : Tensor, float32, shape (vocab_size, hidden_size)
        The image's embedding, dequantised.
    tokens : Tensor, int64, shape (windows, time)
        The calibration text.
    config : CalibrationConfig
    report : callable
        Called with a line for every finished layer.
    granularity : str
        Of the scales: ``tensor``, ``row`` or ``group``.
    requantize : bool
        Treat ternary matrices that need a finer granularity as float matrices.

    Yields
    ------
    name : str
        Canonical name.
    tensor : Ternary or Tensor
        A linear, or a norm's gain, float32.

    Raises
    ------
    TercelError
        If a ternary matrix needs a finer granularity and ``requantize`` is not set.
    """
    model = checkpoint.config
    table = rope(model, tokens.shape[1])
    stream = _Pair(embedding[tokens], checkpoint.floats("embedding")[tokens])
    for index in range(model.layers):
        stored = {
            name: _matrix(checkpoint, f"layers.{index}.{name}", granularity, requantize)
            for name in model.linears()
        }
        gains = {name: checkpoint.floats(f"layers.{index}.{name}") for name in model.norms()}
        layer = _Layer(model, stored, gains, config, granularity)
        layer.run(stream, table)
        for name, tensor in layer.tensors.items():
            yield f"layers.{index}.{name}", tensor
        report(f"layer {index + 1} of {model.layers}: error of the stream {stream.error():.3f}")


class _Layer:
    """One layer while it is being ternarised.

    Members
    -------
    tensors : dict of str to Ternary or Tensor
        Results so far, by name within the layer.
    """

    def __init__(
        self,
        model: ModelConfig,
        stored: Mapping[str, Tensor | Ternary],
        gains: Mapping[str, Tensor],
        config: CalibrationConfig,
        granularity: str,
    ):
        self._model = model
        self._config = config
        self._granularity = granularity
        weights = {
            name: weight.dequantise() if isinstance(weight, Ternary) else weight
            for name, weight in stored.items()
        }
        self._weights, self._gains = weights, dict(gains)
        self.tensors: dict[str, Ternary | Tensor] = dict(gains)
        if not any(isinstance(weight, Ternary) for weight in stored.values()):
            self._weights, self._gains = balance(self._model, weights, gains)
            self.tensors |= self._gains
        self._linears: dict[str, Linear] = {}
        self._stored = stored

    def run(self, stream: _Pair, table: tuple[Tensor, Tensor]) -> None:
        """Ternarise all linears and pass the streams through the layer, in place."""
        model = self._model
        parts = list(stream.split(self._config.windows))
        normed = [self._normed(part, "attention_norm") for part in parts]
        self._round("qkv", normed)
        heads = ([self._apply(name, pair) for name in "qkv"] for pair in normed)
        mixed = [
            _Pair(
                attend(model, [head.quantised for head in qkv], table, self._gains, int8=True),
                attend(model, [head.original for head in qkv], table, self._gains),
            )
            for qkv in heads
        ]
        self._write("o", mixed, parts)
        normed = [self._normed(part, "mlp_norm") for part in parts]
        self._round(("gate", "up"), normed)
        gates = ((self._apply("gate", pair), self._apply("up", pair)) for pair in normed)
        inner = [
            _Pair(
                activate(model, gate.quantised, up.quantised),
                activate(model, gate.original, up.original),
            )
            for gate, up in gates
        ]
        self._write("down", inner, parts)

    def _write(self, name: str, pairs: list[_Pair], parts: list[_Pair]) -> None:
        """Ternarise a linear and add its output to both residual streams."""
        for part, pair in zip(parts, pairs, strict=True):
            part.original += self._plain(name)(pair.original)
        # A norm follows, so an error counts relative to its token's stream. But a few tokens, such
        # as the first, have a stream hundreds of times larger and get most of the attention; the
        # square root keeps enough weight on them.
        self._round(
            (name,),
            [
                _Pair(pair.quantised, pair.original, weight=_inverse_rms(part.original).sqrt())
                for part, pair in zip(parts, pairs, strict=True)
            ],
        )
        for part, pair in zip(parts, pairs, strict=True):
            part.quantised += self._linears[name](pair.quantised)

    def _round(self, names: str | tuple[str, ...], pairs: list[_Pair]) -> None:
        """Ternarise linears that share their input."""
        moments = Moments(self._weights[names[0]].shape[1])
        quantise = quantise_blocks if self._granularity == "group" else quantise_activations
        for pair in pairs:
            integers, unit = quantise(pair.quantised)
            moments.add(integers * (unit * pair.weight), pair.original * pair.weight)
        for name in names:
            ternary = self._stored[name]
            if not isinstance(ternary, Ternary):
                rounding = self._config.rounding
                target = moments.compensated(
                    self._weights[name],
                    strength=self._config.compensation,
                    damping=rounding.damping,
                )
                ternary = round_to_trits(target, moments.seen, rounding, self._granularity)
            self.tensors[name] = ternary
            self._linears[name] = Linear.of(ternary)

    def _normed(self, pair: _Pair, norm: str) -> _Pair:
        gain, epsilon = self._gains[norm], self._model.norm_epsilon
        return _Pair(
            rms_norm(pair.quantised, gain, epsilon), rms_norm(pair.original, gain, epsilon)
        )

    def _plain(self, name: str) -> Linear:
        return Linear(weight=self._weights[name], scale=None)

    def _apply(self, name: str, pair: _Pair) -> _Pair:
        return _Pair(self._linears[name](pair.quantised), self._plain(name)(pair.original))


def _matrix(
    checkpoint: Checkpoint, name: str, granularity: str, requantize: bool
) -> Tensor | Ternary:
    """A stored matrix; one that needs finer scales is dequantised or, by default, refused."""
    weight = checkpoint.matrix(name)
    if isinstance(weight, Tensor):
        return weight
    found = regroup(weight, granularity)
    if found.exact:
        return found.ternary
    if not requantize:
        assert isinstance(weight, GroupedTernary)
        raise refusal(name, weight, found, granularity)
    return weight.dequantise()


def _inverse_rms(stream: Tensor) -> Tensor:
    """Inverse root mean square of each token, shape (windows, time, 1)."""
    return stream.square().mean(-1, keepdim=True).clamp_min(1e-30).rsqrt()
