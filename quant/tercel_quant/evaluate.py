"""Perplexity of one model: unquantised, quantised in float32, and in the device's arithmetic."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from tercel.device import Device
from tercel.device.emulator import EmulatorDevice
from tercel.errors import TercelError
from tercel.image import Image
from tercel.runtime import TextTokenizer
from tercel_quant.importers import open_checkpoint
from tercel_quant.node_scores import node_scores
from tercel_quant.perplexity import Perplexity
from tercel_quant.reference import token_losses
from tercel_quant.text import text_windows
from tercel_quant.weights import CheckpointWeights, ImageWeights

__all__ = ["ARITHMETICS", "Evaluation", "device_losses", "evaluate"]

ARITHMETICS = ("unquantised", "reference", "device")
"""The checkpoint's own weights; the image's weights in float32; the device's arithmetic."""

CONTEXT = 512
"""Longest default window."""
NO_SHAPE = (
    *("name", "context", "bos_token", "eos_tokens"),
    *("granularity", "ternary_head", "shortlist"),
)
"""Fields of a model config in which an image may differ from its checkpoint: it may have fewer
positions, an older one fewer end tokens, and the last three are chosen when it is made."""

NODES = 64
"""Nodes of a pass of the emulator."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The result of :func:`evaluate`."""

    results: dict[str, Perplexity]
    """Perplexity by arithmetic (of :data:`ARITHMETICS`), all over the same tokens."""
    text_bytes: int
    """UTF-8 bytes of the predicted tokens."""
    context: int
    """Length of a window in tokens."""
    device_error: float | None = None
    """Standard error of :attr:`device_change`, from the tokens' paired differences."""

    @property
    def device_change(self) -> float | None:
        """Perplexity of the device over that of the reference, minus 1."""
        if not {"reference", "device"} <= set(self.results):
            return None
        return self.results["device"].perplexity / self.results["reference"].perplexity - 1

    def bits_per_byte(self, arithmetic: str) -> float:
        """Loss in bits per byte of the text."""
        result = self.results[arithmetic]
        return result.bits_per_byte(self.text_bytes / result.tokens)


def evaluate(
    image: Image,
    text: str,
    *,
    checkpoint: Path | str | None = None,
    i2s_layout: str | None = None,
    arithmetics: tuple[str, ...] = ("reference", "device"),
    context: int | None = None,
    tokens: int | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> Evaluation:
    """Measure perplexity on a text.

    Parameters
    ----------
    image : Image
        An image with a tokenizer.
    text : str
    checkpoint : Path or str, optional
        The image's checkpoint; required for ``unquantised``.
    i2s_layout : str, optional
        Of the checkpoint, as that of :func:`open_checkpoint`.
    arithmetics : tuple of str
        Elements of :data:`ARITHMETICS`.
    context : int, optional
        Length of a window, by default at most :data:`CONTEXT`; every window starts with an empty
        cache.
    tokens : int, optional
        Most tokens in all windows together, spread evenly over the text.
    report : callable
        Called with a line about each result.

    Raises
    ------
    TercelError
        If the image has no tokenizer, the checkpoint is missing or of another shape, or the text
        is too short.
    """
    if unknown := [name for name in arithmetics if name not in ARITHMETICS]:
        raise TercelError(
            f"arithmetics must be of {', '.join(ARITHMETICS)}, not {', '.join(unknown)}"
        )
    if image.tokenizer is None:
        raise TercelError(f"{image.path} has no tokenizer; convert its checkpoint again with one")
    if context is None:
        context = min(CONTEXT, image.config.context)
    if not 2 <= context <= image.config.context:
        raise TercelError(f"context must be in 2..{image.config.context}, not {context}")
    tokenizer = TextTokenizer(image.tokenizer)
    windows = text_windows(text, tokenizer, context=context, tokens=tokens)
    results, all_losses = {}, {}
    for name in arithmetics:
        if name == "unquantised":
            losses = token_losses(_original(image, checkpoint, i2s_layout), windows)
        elif name == "reference":
            losses = token_losses(ImageWeights(image), windows)
        else:
            losses = device_losses(EmulatorDevice(image, nodes=NODES, context=context), windows)
        all_losses[name] = losses.double().flatten()
        results[name] = Perplexity(tokens=losses.numel(), loss=float(losses.double().mean()))
        report(f"{name}: perplexity {results[name].perplexity:.4f} over {losses.numel()} tokens")
    error = None
    if {"reference", "device"} <= set(all_losses):
        difference = all_losses["device"] - all_losses["reference"]
        error = float(difference.std() / len(difference) ** 0.5)
    return Evaluation(
        results=results,
        context=context,
        text_bytes=_predicted_bytes(image.tokenizer, windows),
        device_error=error,
    )


def device_losses(device: Device, windows: Tensor) -> Tensor:
    """Negative log-likelihood of every token except the first of each window.

    Parameters
    ----------
    device : Device
        A device; its cache is reset before every window and after the last.
    windows : Tensor, int64, shape (windows, time)

    Returns
    -------
    Tensor, float32, shape (windows, time - 1), in nats
    """
    losses = np.zeros((windows.shape[0], windows.shape[1] - 1), np.float32)
    for window, row in zip(windows.tolist(), losses, strict=True):
        device.reset()
        scores = node_scores(device, window[:-1], len(row))
        for place, (score, target) in enumerate(zip(scores, window[1:], strict=True)):
            row[place] = -score.log_probabilities([target])[0]
    device.reset()
    return torch.from_numpy(losses)


def _original(image: Image, path: Path | str | None, i2s_layout: str | None) -> CheckpointWeights:
    """Open the checkpoint of an image.

    Raises
    ------
    TercelError
        If it is not given or its config differs from the image's.
    """
    if path is None:
        raise TercelError("unquantised perplexity needs the checkpoint that the image is made of")
    checkpoint = open_checkpoint(path, i2s_layout=i2s_layout)
    shapes = [
        {field: value for field, value in vars(config).items() if field not in NO_SHAPE}
        for config in (checkpoint.config, image.config)
    ]
    if shapes[0] != shapes[1]:
        other = [field for field in shapes[0] if shapes[0][field] != shapes[1][field]]
        raise TercelError(
            f"{path} is not what {image.path} is made of: they differ in {', '.join(other)}"
        )
    return CheckpointWeights(checkpoint)


def _predicted_bytes(tokenizer: bytes, windows: Tensor) -> int:
    """UTF-8 bytes of all tokens except the first of each window."""
    decoder = Tokenizer.from_str(tokenizer.decode())
    return sum(
        len(decoder.decode(window, skip_special_tokens=False).encode())
        - len(decoder.decode(window[:1], skip_special_tokens=False).encode())
        for window in windows.tolist()
    )
