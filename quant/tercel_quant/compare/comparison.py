"""Where an image first differs from its checkpoint beyond rounding."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from tercel.config import ModelConfig
from tercel.device import Ask, Device
from tercel.device.emulator import EmulatorDevice
from tercel.errors import TercelError
from tercel.image import Image
from tercel_quant.compare.oracle import Oracle, Trace
from tercel_quant.reference import (
    Layer,
    head_logits,
    hidden_states,
    rope,
    run_attention,
    run_mlp,
)
from tercel_quant.weights import ImageWeights

__all__ = ["BEYOND", "Block", "Comparison", "compare"]

BEYOND = 0.02
"""Relative error of a block that no rounding explains."""
BEYOND_ROWS = 0.05
"""The same for embedding and head, whose rows are int8 in the image."""
NODES = 64
"""Nodes of a pass of the emulator."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """The error of one block of the model, given the oracle's own input.

    The errors are root mean squares over what the block adds to the residual stream (of the
    embedding and the head: over their values).
    """

    name: str
    """``embedding``, ``layers.0.attention``, ``layers.0.mlp``, ..., ``head``."""
    rounded: float
    """With int8 activations."""
    unrounded: float
    """With float activations."""

    @property
    def error(self) -> float:
        """The smaller error: the oracle may round its activations or not."""
        return min(self.rounded, self.unrounded)

    @property
    def differs(self) -> bool:
        """True if the error is beyond rounding."""
        return self.error > (BEYOND_ROWS if self.name in ("embedding", "head") else BEYOND)


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Logits of one arithmetic against those of the oracle."""

    argmax: float
    """Fraction of the positions with the same largest logit."""
    divergence: float
    """Mean Kullback-Leibler divergence from the oracle's distribution, nats."""
    perplexity: float


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The result of :func:`compare`."""

    blocks: tuple[Block, ...]
    linears: Mapping[str, float]
    """Error of each linear of the first block that differs; empty if none differs."""
    positions: int
    oracle_perplexity: float
    agreements: Mapping[str, Agreement]
    """``reference`` (float32 with int8 activations) and ``device`` (the emulator)."""

    @property
    def first(self) -> Block | None:
        """The first block that differs beyond rounding."""
        return next((block for block in self.blocks if block.differs), None)


def compare(
    checkpoint: Path,
    image: Image,
    tokens: Tensor,
    *,
    report: Callable[[str], None] = lambda line: None,
) -> Comparison:
    """Compare an image with transformers on windows of tokens.

    Parameters
    ----------
    checkpoint : Path
        The image's checkpoint, a Hugging Face folder or a GGUF file.
    image : Image
    tokens : Tensor, int64, shape (windows, time)
    report : callable
        Called with each line of progress.

    Raises
    ------
    TercelError
        If transformers cannot load the checkpoint, or it is of another shape than the image.
    """
    report(f"loading {checkpoint} with transformers, in float32")
    oracle = Oracle(checkpoint)
    trace = oracle.trace(tokens)
    weights, config = ImageWeights(image), image.config
    if len(trace.streams) != 2 * config.layers + 1 or (
        trace.streams[0].shape[-1] != config.hidden_size
        or trace.logits.shape[-1] != config.vocab_size
    ):
        raise TercelError(
            f"{checkpoint} is not what {image.path} is made of: it has "
            f"{len(trace.streams) // 2} layers of the width {trace.streams[0].shape[-1]} and "
            f"{trace.logits.shape[-1]} tokens, the image {config.layers} of "
            f"{config.hidden_size} and {config.vocab_size}"
        )
    blocks = tuple(_blocks(weights, trace, tokens, report))
    first = next((block.name for block in blocks if block.differs), "")
    linears = {}
    if first.startswith("layers."):
        index = int(first.split(".")[1])
        linears = _linears(config, weights.layer(index), oracle.linears(tokens, index))
    stream = hidden_states(weights, tokens).flatten(0, 1)
    theirs = trace.logits.flatten(0, 1)
    report("reference: logits")
    reference = torch.cat(list(head_logits(weights, stream)))
    report("device: logits")
    device = device_logits(EmulatorDevice(image, nodes=NODES, context=tokens.shape[1]), tokens)
    agreements = {
        "reference": _agreement(reference, theirs, tokens),
        "device": _agreement(device, theirs, tokens),
    }
    return Comparison(
        blocks=blocks,
        linears=linears,
        positions=tokens.numel(),
        oracle_perplexity=_perplexity(theirs, tokens),
        agreements=agreements,
    )


@torch.no_grad()
def _blocks(
    weights: ImageWeights, trace: Trace, tokens: Tensor, report: Callable[[str], None]
) -> Iterator[Block]:
    config, streams = weights.config, trace.streams
    error = _error(weights.embed(tokens), streams[0], torch.zeros(()))
    yield Block(name="embedding", rounded=error, unrounded=error)
    table = rope(config, tokens.shape[1])
    for index in range(config.layers):
        rounded = weights.layer(index)
        layers = {"rounded": rounded, "unrounded": _unrounded(rounded)}
        start, middle, end = streams[2 * index : 2 * index + 3]
        attention, mlp = {}, {}
        for name, layer in layers.items():
            attention[name] = _error(run_attention(config, layer, start, table), middle, start)
            mlp[name] = _error(run_mlp(config, layer, middle), end, middle)
        yield Block(name=f"layers.{index}.attention", **attention)
        yield Block(name=f"layers.{index}.mlp", **mlp)
        report(f"layer {index + 1} of {config.layers}")
    logits = torch.cat(list(head_logits(weights, streams[-1].flatten(0, 1))))
    error = _error(logits, trace.logits.flatten(0, 1), torch.zeros(()))
    yield Block(name="head", rounded=error, unrounded=error)


def _error(ours: Tensor, theirs: Tensor, given: Tensor) -> float:
    """Root mean square of the difference over that of what was added to ``given``."""
    added = (theirs - given).square().mean().clamp_min(torch.finfo(torch.float32).tiny)
    return float(((ours - theirs).square().mean() / added).sqrt())


def _unrounded(layer: Layer) -> Layer:
    """The same layer with float activations."""
    return replace(layer, linears={n: linear.plain() for n, linear in layer.linears.items()})


@torch.no_grad()
def _linears(
    config: ModelConfig, layer: Layer, theirs: Mapping[str, tuple[Tensor, Tensor]]
) -> dict[str, float]:
    """Error of each linear, given the oracle's input; none if heads are padded in the image."""
    if theirs["q"][1].shape[-1] != config.q_size:
        return {}
    plain, errors = _unrounded(layer).linears, {}
    for name, (given, result) in theirs.items():
        ours = (linears[name](given) for linears in (layer.linears, plain))
        errors[name] = min(_error(each, result, torch.zeros(())) for each in ours)
    return errors


def device_logits(device: Device, windows: Tensor) -> Tensor:
    """Logits of every position on a device, float32, shape (positions, vocab_size).

    Parameters
    ----------
    device : Device
        Its cache is reset before every window and after the last.
    windows : Tensor, int64, shape (windows, time)
    """
    found = []
    for window in windows.tolist():
        device.reset()
        for start in range(0, len(window), device.limits.nodes):
            nodes = window[start : start + device.limits.nodes]
            asked = Ask(argmax=False, logits=tuple(range(len(nodes))))
            answer = device.run_pass(nodes, ask=asked)
            device.commit(range(len(nodes)))
            found += [torch.from_numpy(answer.logits[node].copy()) for node in range(len(nodes))]
    device.reset()
    return torch.stack(found)


def _agreement(ours: Tensor, theirs: Tensor, tokens: Tensor) -> Agreement:
    expected, found = (functional.log_softmax(each, -1) for each in (theirs, ours))
    divergence = functional.kl_div(found, expected, log_target=True, reduction="batchmean")
    return Agreement(
        argmax=float((ours.argmax(-1) == theirs.argmax(-1)).float().mean()),
        divergence=float(divergence),
        perplexity=_perplexity(ours, tokens),
    )


def _perplexity(logits: Tensor, tokens: Tensor) -> float:
    """Perplexity of logits (positions, vocab_size) on their windows of tokens."""
    predicted = logits.view(*tokens.shape, -1)[:, :-1].flatten(0, 1)
    return float(functional.cross_entropy(predicted, tokens[:, 1:].flatten()).exp())
