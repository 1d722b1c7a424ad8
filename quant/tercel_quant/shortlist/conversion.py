"""An image with a shortlist, made of an image and a text."""

import contextlib
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tercel import numerics
from tercel.config import SHORTLISTS, ModelConfig
from tercel.device.emulator import EmulatorDevice
from tercel.errors import TercelError
from tercel.files import scratch_file
from tercel.image import (
    Image,
    ImageBuilder,
    PassBytes,
    TapeLayout,
    copy_tensors,
    default_layout,
    footprint,
    segments,
)
from tercel.numerics import Quantised
from tercel.runtime import TextTokenizer
from tercel_quant.convert import MOST_IN_MEMORY
from tercel_quant.importers import Ternary
from tercel_quant.shortlist.head_inputs import head_inputs
from tercel_quant.shortlist.trits import shortlist_trits
from tercel_quant.text import text_windows

__all__ = ["ROWS", "TOKENS", "Agreement", "ShortlistResult", "add_shortlist", "agreement"]

ROWS = 1024
"""Rows that a node lists, by default."""
TOKENS = 16384
"""Tokens of the text, by default."""
WINDOW = 512
"""Longest window of tokens."""
HELD_OUT = 8
"""One window of so many is held out."""
NODES = 64
"""Nodes of a pass of the emulator."""
PART = 64
"""Inputs whose lists are held at a time."""


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Tokens after which the shortlist lists the row that the whole head ranks first."""

    tokens: int
    agreeing: int

    @property
    def share(self) -> float:
        return self.agreeing / self.tokens


@dataclass(frozen=True, kw_only=True)
class ShortlistResult:
    """The result of :func:`add_shortlist`."""

    config: ModelConfig
    layout: TapeLayout
    image_bytes: int
    calibration_tokens: int
    agreement: Agreement
    """Agreement after tokens that the calibration has not seen."""

    @property
    def pass_bytes(self) -> tuple[int, int]:
        """Bytes of the tape that a pass of one node reads with a whole and a two-stage head."""
        read = PassBytes(segments(self.config, self.layout), self.layout)
        return read.count(), read.count(listed=self.config.shortlist)


def add_shortlist(
    image: Image,
    output: BinaryIO,
    text: str,
    *,
    rows: int = ROWS,
    tokens: int = TOKENS,
    layout: TapeLayout | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> ShortlistResult:
    """Write an image with a shortlist; one that the image has is replaced.

    Parameters
    ----------
    image : Image
        An image with an int8 head and a tokenizer.
    output : BinaryIO
        A seekable stream at its start.
    text : str
        Text of the kind that the model will meet.
    rows : int
        Rows that a two-stage head lists for a node: a power of two in 32..4096, less than the
        vocabulary.
    tokens : int
        Most tokens of the text to use, spread evenly over it. One window of eight is held out.
    layout : TapeLayout, optional
        By default that of the image if it is of version 3, else that of kv260-groups.
    report : callable
        Called with each line of progress.

    Raises
    ------
    TercelError
        If the image has a ternary head or no tokenizer, the rows break their rule, or the text is
        too short.
    """
    config = _config(image, rows)
    if layout is None:
        layout = image.layout if image.config.version_3_parts else default_layout(config)
    windows = _windows(image, text, tokens)
    held = torch.zeros(len(windows), dtype=torch.bool)
    held[HELD_OUT - 1 :: HELD_OUT] = True
    held[-1] |= not held.any()
    total, every = windows.numel(), max(1, len(windows) // 8)

    def told(count: int) -> None:
        if count // windows.shape[1] % every == 0 or count == total:
            report(f"inputs of the head: {count} of {total} tokens")

    inputs = head_inputs(
        EmulatorDevice(image, nodes=NODES, context=windows.shape[1]), image, windows, told
    )
    of_held = held.repeat_interleave(windows.shape[1]).numpy()
    known, unknown = inputs.at(~of_held), inputs.at(of_held)
    values, scales = image.rows("head")
    head = torch.from_numpy(numerics.multiply(values.astype(np.float32), scales[:, None]))
    vocabulary = config.vocab_size
    found = shortlist_trits(
        head,
        _moments(known),
        report=lambda count: report(f"rows of the shortlist: {count} of {vocabulary}"),
    )
    measured = agreement(found, values, scales, unknown, rows)
    return ShortlistResult(
        config=config,
        layout=layout,
        image_bytes=_write(image, output, config, layout, found),
        calibration_tokens=len(known.values),
        agreement=measured,
    )


def agreement(
    shortlist: Ternary,
    rows: npt.NDArray[np.int8],
    row_scales: npt.NDArray[np.float32],
    inputs: Quantised,
    size: int,
) -> Agreement:
    """Compare lists of ``size`` rows with the argmax of the whole head, in the device's arithmetic.

    Parameters
    ----------
    shortlist : Ternary
        A form of the head, with a scale for each row.
    rows, row_scales
        The head: int8 ``[rows, columns]`` and float32 ``[rows]``.
    inputs : Quantised
        Inputs of the head ``[tokens, columns]``.
    size : int
        Rows of a list.
    """
    trits = shortlist.trits.numpy().astype(np.float32)
    scales = torch.as_tensor(shortlist.scale).numpy()
    agreeing = 0
    for start in range(0, len(inputs.values), PART):
        x = inputs.at(slice(start, start + PART))
        best = numerics.argmax(numerics.head_logits(rows, row_scales, x))
        scores = numerics.dequantise(numerics.ternary_linear(trits, x.values), scales)
        agreeing += int((numerics.shortlist(scores, size) == best[:, None]).any(axis=1).sum())
    return Agreement(tokens=len(inputs.values), agreeing=agreeing)


def _config(image: Image, rows: int) -> ModelConfig:
    """The config of the new image, after the checks of the model."""
    own = image.config
    if own.ternary_head:
        raise TercelError(
            f"{own.name} has a ternary head, whose rows are ternary already: there is nothing to "
            "shorten"
        )
    if rows not in SHORTLISTS or rows >= own.vocab_size:
        raise TercelError(
            f"rows must be a power of two in {SHORTLISTS[0]}..{SHORTLISTS[-1]} and less than the "
            f"{own.vocab_size} of the vocabulary of {own.name}, not {rows}"
        )
    return dataclasses.replace(own, shortlist=rows)


def _windows(image: Image, text: str, tokens: int) -> Tensor:
    context = min(WINDOW, image.config.context)
    tokenizer = TextTokenizer.of_image(image)
    windows = text_windows(text, tokenizer, context=context, tokens=tokens)
    if len(windows) < 2:
        raise TercelError(
            f"a shortlist needs two windows of {context} tokens, one of them held out, but the "
            f"text and --tokens {tokens} give one; give more of both"
        )
    return windows


def _moments(inputs: Quantised) -> Tensor:
    """The mean of ``x x^T``."""
    x = torch.from_numpy(inputs.values).float() * torch.from_numpy(inputs.scale)[:, None]
    return x.T @ x / len(x)


def _write(
    image: Image, output: BinaryIO, config: ModelConfig, layout: TapeLayout, found: Ternary
) -> int:
    """Write the new image; return its size in bytes."""
    large = footprint(config, layout).tape > MOST_IN_MEMORY
    with contextlib.ExitStack() as stack:
        builder = ImageBuilder(
            config=config,
            layout=layout,
            tokenizer=image.tokenizer,
            chat=image.chat,
            sampling=image.sampling,
            scratch=stack.enter_context(scratch_file(output)) if large else None,
        )
        scales = torch.as_tensor(found.scale).numpy()
        builder.ternary("shortlist", found.trits.numpy(), scales)
        copy_tensors(image, builder)
        return builder.write(output)
