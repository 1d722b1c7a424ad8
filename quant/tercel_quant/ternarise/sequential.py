"""Post-training ternarisation of a float model, layer by layer through the quantised network.

The calibration text runs through the quantised and through the float network side by side. Each
linear is rounded for the inputs that it will see, quantised by all that lies before it, and towards
the outputs that the float network has.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from tercel.errors import TercelError
from tercel_quant.bitlinear import quantise_activations
from tercel_quant.checkpoints import Checkpoint, Ternary
from tercel_quant.reference import Linear, activate, attend, rms_norm, rope
from tercel_quant.ternarise.balance import balance
from tercel_quant.ternarise.moments import Moments
from tercel_quant.ternarise.rounding import RoundingConfig, round_to_trits

__all__ = ["CalibrationConfig", "calibrated_layers"]


@dataclass(frozen=True, kw_only=True)
class CalibrationConfig:
    """How a float model is ternarised.

    Raises
    ------
    TercelError
        If a field breaks its rule; the message quotes the field and its value.
    """

    rounding: RoundingConfig = field(default_factory=RoundingConfig)
    compensation: float = 1.0
    """How far the weights are refitted to the quantised inputs, 0 to 1."""
    windows: int = 4
    """Windows of text that pass through a layer together; bounds the memory."""

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

    def error(self) -> float:
        """Mean over the tokens of the squared difference over the squared original."""
        distance = (self.quantised - self.original).square().sum(-1)
        return float((distance / self.original.square().sum(-1).clamp_min(1e-30)).mean())

    def split(self, windows: int) -> Iterator["_Pair"]:
        """Views of some windows at a time."""
        parts = zip(self.quantised.split(windows), self.original.split(windows), strict=True)
        return (_Pair(*part) for part in parts)


@torch.no_grad()
def calibrated_layers(
    checkpoint: Checkpoint,
    embedding: Tensor,
    tokens: Tensor,
    config: CalibrationConfig,
    report: Callable[[str], None],
) -> Iterator[tuple[str, Ternary | Tensor]]:
    """Ternarise the layers of a checkpoint without sub-norms.

    Parameters
    ----------
    checkpoint : Checkpoint
        With float matrices; those that hold trits already are kept.
    embedding : Tensor, float32, shape (vocab_size, hidden_size)
        As the image has it, dequantised.
    tokens : Tensor, int64, shape (windows, time)
        The calibration text.
    config : CalibrationConfig
    report : callable
        Told about every finished layer.

    Yields
    ------
    name : str
        Canonical name.
    tensor : Ternary or Tensor
        A linear, or a norm's gain, float32.
    """
    model = checkpoint.config
    table = rope(model, tokens.shape[1])
    stream = _Pair(embedding[tokens], checkpoint.rows("embedding")[tokens])
    for index in range(model.layers):
        layer = _Layer(checkpoint, index, config)
        layer.run(stream, table)
        for name, tensor in layer.tensors.items():
            yield f"layers.{index}.{name}", tensor
        report(f"layer {index + 1} of {model.layers}: error of the stream {stream.error():.3f}")


class _Layer:
    """One layer while it is being ternarised.

    Members
    -------
    tensors : dict of str to Ternary or Tensor
        What is done.
    """

    def __init__(self, checkpoint: Checkpoint, index: int, config: CalibrationConfig):
        self._model = checkpoint.config
        self._config = config
        stored = {
            name: checkpoint.matrix(f"layers.{index}.{name}") for name in self._model.linears()
        }
        weights = {
            name: weight.dequantise() if isinstance(weight, Ternary) else weight
            for name, weight in stored.items()
        }
        gains = {name: checkpoint.gain(f"layers.{index}.{name}") for name in self._model.norms()}
        self._weights, self._gains = weights, gains
        self.tensors: dict[str, Ternary | Tensor] = dict(gains)
        if not any(isinstance(weight, Ternary) for weight in stored.values()):
            self._weights, self._gains = balance(self._model, weights, gains)
            self.tensors |= self._gains
        self._linears: dict[str, Linear] = {}
        self._stored = stored

    def run(self, stream: _Pair, table: tuple[Tensor, Tensor]) -> None:
        """Ternarise all linears and move the streams through the layer, in place."""
        model = self._model
        self._round("qkv", stream, lambda pair: self._normed(pair, "attention_norm"))

        def mixed(pair: _Pair) -> _Pair:
            normed = self._normed(pair, "attention_norm")
            heads = [self._apply(name, normed) for name in "qkv"]
            return _Pair(
                attend(model, [head.quantised for head in heads], table),
                attend(model, [head.original for head in heads], table),
            )

        self._round("o", stream, mixed)
        self._advance("o", stream, mixed)
        self._round(("gate", "up"), stream, lambda pair: self._normed(pair, "mlp_norm"))

        def inner(pair: _Pair) -> _Pair:
            normed = self._normed(pair, "mlp_norm")
            gate, up = self._apply("gate", normed), self._apply("up", normed)
            return _Pair(
                activate(model, gate.quantised, up.quantised),
                activate(model, gate.original, up.original),
            )

        self._round(("down",), stream, inner)
        self._advance("down", stream, inner)

    def _round(
        self, names: str | tuple[str, ...], stream: _Pair, input_of: Callable[[_Pair], _Pair]
    ) -> None:
        """Ternarise linears that share their input."""
        moments = Moments(self._weights[names[0]].shape[1])
        for part in stream.split(self._config.windows):
            pair = input_of(part)
            integers, unit = quantise_activations(pair.quantised)
            # What goes to the residual stream matters relative to what is there: a norm follows.
            # So the first token, whose stream is far larger than the others', does not rule.
            rms = part.original.square().mean(-1, keepdim=True).sqrt().clamp_min(1e-15)
            weight = 1.0 if names[0] in ("q", "gate") else rms.reciprocal()
            moments.add(integers * (unit * weight), pair.original * weight)
        for name in names:
            ternary = self._stored[name]
            if not isinstance(ternary, Ternary):
                rounding = self._config.rounding
                target = moments.compensated(
                    self._weights[name],
                    strength=self._config.compensation,
                    damping=rounding.damping,
                )
                ternary = round_to_trits(target, moments.seen, rounding)
            self.tensors[name] = ternary
            self._linears[name] = Linear(weight=ternary.trits.float(), scale=ternary.scale)

    def _advance(self, name: str, stream: _Pair, input_of: Callable[[_Pair], _Pair]) -> None:
        """Add a linear's output to both residual streams."""
        for part in stream.split(self._config.windows):
            output = self._apply(name, input_of(part))
            part.quantised += output.quantised
            part.original += output.original

    def _normed(self, pair: _Pair, norm: str) -> _Pair:
        gain, epsilon = self._gains[norm], self._model.norm_epsilon
        return _Pair(
            rms_norm(pair.quantised, gain, epsilon), rms_norm(pair.original, gain, epsilon)
        )

    def _apply(self, name: str, pair: _Pair) -> _Pair:
        plain = Linear(weight=self._weights[name], scale=None)
        return _Pair(self._linears[name](pair.quantised), plain(pair.original))
