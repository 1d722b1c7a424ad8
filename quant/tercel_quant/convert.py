"""Conversion of a checkpoint to an image."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer
from torch import Tensor

from tercel.config import ModelConfig
from tercel.errors import TercelError
from tercel.files import scratch_file, whole_file
from tercel.image import (
    ChatFormat,
    ImageBuilder,
    TapeLayout,
    check_tokenizer,
    default_layout,
    footprint,
)
from tercel.runtime import ChatTemplate, TextTokenizer
from tercel_quant.conversion_plan import GranularityPlan, head_names, plan_granularity
from tercel_quant.importers import Checkpoint, Ternary, open_checkpoint
from tercel_quant.importers.input_files import checkpoint_files
from tercel_quant.importers.json_file import read_bytes
from tercel_quant.importers.ternary import recognise
from tercel_quant.importers.ternary_rows import ternary_rows
from tercel_quant.matrix_reader import MatrixReader, RoundingErrors
from tercel_quant.ternarise import CalibrationConfig, absmean, calibrated_layers
from tercel_quant.text import text_windows

__all__ = ["METHODS", "Conversion", "convert"]

METHODS = ("absmean", "calibrated")
"""Ways to ternarise a model that was not trained ternary."""

DEFAULT_CONTEXT = 4096
"""Default limit of an image's positions: the context of the largest preset accelerator."""
MOST_CONTEXT = 65535
"""Largest position count that an accelerator's 16-bit registers can express."""


MOST_IN_MEMORY = 1 << 28
"""Bytes of a tape above which it is kept on the disk of the output while it is built."""


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """The result of :func:`convert`."""

    config: ModelConfig
    source: str
    """Description of the checkpoint's layout."""
    method: str
    """``imported`` or ``requantised`` for a model trained ternary, else one of :data:`METHODS`."""
    layout: TapeLayout
    image_bytes: int
    all_zero: tuple[str, ...]
    """Names of tensors whose values are all 0."""
    requantised: Mapping[str, float]
    """Name of each matrix reduced to fewer scales to the relative error of its weights."""
    multiplier_error: tuple[float, float] | None
    """Largest and mean relative error that multipliers make of the checkpoint's scales of groups;
    ``None`` if it has none."""


def convert(
    source: Path | str,
    output: Path | str | BinaryIO,
    *,
    layout: TapeLayout | None = None,
    method: str | None = None,
    tokenizer: Path | str | None = None,
    name: str | None = None,
    context: int | None = None,
    calibration_text: str | None = None,
    calibration_tokens: int = 32768,
    calibration: CalibrationConfig | None = None,
    granularity: str | None = None,
    requantize: bool = False,
    i2s_layout: str | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> Conversion:
    """Convert a checkpoint to an image, tensor by tensor.

    Parameters
    ----------
    source : Path or str
        A Hugging Face folder or a GGUF file.
    output : Path or str, or stream
        The image, as for :meth:`tercel.image.ImageBuilder.write`; a file is unchanged on any
        failure.
    layout : TapeLayout, optional
        Layout of the tape; by default that of the kv260 for the granularity.
    method : str, optional
        One of :data:`METHODS`, required for a model that was not trained ternary and refused for
        any other.
    tokenizer : Path or str, optional
        A ``tokenizer.json`` in place of the checkpoint's own.
    name : str, optional
        The model's name in the image, in place of the checkpoint's file name.
    context : int, optional
        Positions of the image's RoPE table, which limit every KV cache; at most the checkpoint's
        context and :data:`MOST_CONTEXT`. By default the checkpoint's context, but at most
        :data:`DEFAULT_CONTEXT`.
    calibration_text : str, optional
        Text similar to the model's later use; required for ``calibrated``.
    calibration_tokens : int
        Most tokens of the text to use, spread evenly over it; more tokens overfit less.
    calibration : CalibrationConfig, optional
    granularity : str, optional
        Of the scales: ``tensor``, ``row`` or ``group``. By default the coarsest that holds the
        scales of the ternary matrices exactly.
    requantize : bool
        Reduce ternary matrices to the granularity, by default one scale each, which adds an error.
        Without a method and with ``absmean`` it is the scale of least squared error over the
        non-zeros; ``calibrated`` treats such a matrix as a float one.
    i2s_layout : str, optional
        Layout of a GGUF file's I2_S tensors, where the file and its weights do not tell it.
    report : callable
        Called with each line of progress.

    Returns
    -------
    Conversion

    Raises
    ------
    TercelError
        If the checkpoint cannot be imported, or the method or the tokenizer does not fit it.
    """
    with contextlib.ExitStack() as stack:
        if isinstance(output, (str, Path)):
            output = stack.enter_context(whole_file(output, inputs=checkpoint_files(source)))
        checkpoint = open_checkpoint(source, i2s_layout=i2s_layout)
        own = checkpoint.config
        positions = _context(own, context)
        _check_method(checkpoint, method, calibration_text)
        report(f"reading {source}: {checkpoint.description}")
        plan = plan_granularity(
            checkpoint, method=method, granularity=granularity, requantize=requantize
        )
        _check_padding(checkpoint, plan)
        config = dataclasses.replace(
            own, name=own.name if name is None else name, context=positions, **plan.fields
        )
        if plan.found:
            head = ", embedding and head too" if plan.ternary_head else ""
            report(f"granularity of the scales, as the weights have it: {plan.granularity}{head}")
        report(
            f"context: {config.context} of the checkpoint's {own.context} positions"
            + ("" if config.context == own.context else "; --context N changes it")
        )
        text = _tokenizer_bytes(checkpoint, tokenizer)
        reader = _reader(text, source, config, report)
        sampling = checkpoint.sampling()
        if sampling.ignored:
            ignored = ", ".join(sampling.ignored)
            report(f"warning: {source} asks for {ignored} in sampling, which tercel lacks")
        layout = default_layout(config) if layout is None else layout
        large = footprint(config, layout).tape > MOST_IN_MEMORY
        builder = ImageBuilder(
            config=config,
            layout=layout,
            tokenizer=text,
            chat=_chat(checkpoint, report),
            sampling=sampling.filters,
            scratch=stack.enter_context(scratch_file(output)) if large else None,
        )
        zero: list[str] = []
        requantised: dict[str, float] = {}
        errors = RoundingErrors()
        embedding = _give_rows(builder, checkpoint, zero, errors)
        if method == "calibrated":
            assert calibration_text is not None
            tensors = calibrated_layers(
                checkpoint,
                embedding.dequantise(),
                _windows(source, reader, calibration_text, config, calibration_tokens),
                calibration or CalibrationConfig(),
                report,
                granularity=config.granularity,
                requantize=requantize,
            )
        else:
            tensors = _layers(
                checkpoint,
                report,
                MatrixReader(
                    checkpoint, config.granularity, requantised if requantize else None, errors
                ),
                rounds=checkpoint.declared_ternary or method is not None,
            )
        del embedding  # half a gigabyte of a large model
        for tensor_name, tensor in chain(tensors, [("norm", checkpoint.floats("norm"))]):
            values = tensor.trits if isinstance(tensor, Ternary) else tensor
            if not values.any():
                zero.append(tensor_name)
            if isinstance(tensor, Ternary):
                _give_ternary(builder, tensor_name, tensor)
            else:
                builder.gain(tensor_name, tensor.numpy())
        image_bytes = builder.write(output)
        return Conversion(
            config=config,
            source=checkpoint.description,
            method=method or ("requantised" if requantised else "imported"),
            layout=layout,
            image_bytes=image_bytes,
            all_zero=tuple(zero),
            requantised=requantised,
            multiplier_error=errors.summary(),
        )


def _reader(
    text: bytes | None, source: Path | str, config: ModelConfig, report: Callable[[str], None]
) -> TextTokenizer | None:
    """The tokenizer as the runtime uses it; what a user should know of it is reported.

    Raises
    ------
    TercelError
        If the runtime could not use it, or it has ids beyond the embedding.
    """
    if text is None:
        report(
            f"warning: {source} brings no tokenizer, so the image cannot read or write text; give "
            "a tokenizer.json with --tokenizer"
        )
        return None
    check_tokenizer(text, config.vocab_size)
    known = Tokenizer.from_str(text.decode()).get_vocab_size(with_added_tokens=True)
    if known < config.vocab_size:
        report(f"tokenizer: {known} of the embedding's {config.vocab_size} ids have a text")
    return TextTokenizer(text)


def _windows(
    source: Path | str,
    reader: TextTokenizer | None,
    text: str,
    config: ModelConfig,
    tokens: int,
) -> Tensor:
    """The windows of a calibration text."""
    if reader is None:
        raise TercelError(
            f"{source} has no tokenizer, which calibration needs; give a tokenizer.json"
        )
    return text_windows(text, reader, context=min(512, config.context), tokens=tokens)


@dataclass(frozen=True, kw_only=True)
class Rows:
    """The int8 rows of an embedding and their scales."""

    values: npt.NDArray[np.int8]
    scales: npt.NDArray[np.float32]

    def dequantise(self) -> Tensor:
        """float32, shape (vocab_size, hidden_size)."""
        return torch.from_numpy(self.values) * torch.from_numpy(self.scales)[:, None]


def _chat(checkpoint: Checkpoint, report: Callable[[str], None]) -> ChatFormat | None:
    """The chat template; a warning is reported if it cannot make a prompt of one question."""
    chat = checkpoint.chat()
    if chat is not None:
        try:
            ChatTemplate(chat).render([{"role": "user", "content": "Hello"}])
        except TercelError as error:
            report(f"warning: {error}; `tercel chat` takes another with --template FILE")
    return chat


def _context(config: ModelConfig, asked: int | None) -> int:
    """Positions of the image: the requested number, checked, or the default."""
    if asked is None:
        return min(config.context, DEFAULT_CONTEXT)
    most = min(config.context, MOST_CONTEXT)
    if not 1 <= asked <= most:
        raise TercelError(
            f"context must be in 1..{most}, not {asked}: the checkpoint was made for "
            f"{config.context} positions, and no device holds more than {MOST_CONTEXT}"
        )
    return asked


def _check_method(checkpoint: Checkpoint, method: str | None, calibration_text: str | None) -> None:
    if method is not None and method not in METHODS:
        raise TercelError(f"method must be one of {', '.join(METHODS)}, not {method!r}")
    if checkpoint.declared_ternary and method is not None:
        raise TercelError(
            f"this checkpoint ({checkpoint.description}) was trained ternary and is imported as it "
            f"is; leave out the method {method!r}"
        )
    if not checkpoint.trained_ternary and method is None:
        raise TercelError(
            f"this checkpoint ({checkpoint.description}) was not trained ternary; "
            f"choose a method: {', '.join(METHODS)}. absmean is right for the masters of a ternary "
            "model that its files do not call so (Falcon-E's revision prequantized), and ruins any "
            "other model; calibrated fits each layer to a text"
        )
    if (method == "calibrated") != (calibration_text is not None):
        raise TercelError(
            "the method 'calibrated' needs a calibration text, and no other method takes one"
        )
    if method == "calibrated" and checkpoint.padding is not None:
        raise TercelError(
            f"the method 'calibrated' takes no heads of {checkpoint.padding.size} elements, which "
            "the device pads; use the method 'absmean'"
        )
    if method == "calibrated" and checkpoint.config.sub_norms:
        raise TercelError(
            "the method 'calibrated' takes no models with norms before the output and the down "
            "projection; use the method 'absmean'"
        )


def _tokenizer_bytes(checkpoint: Checkpoint, tokenizer: Path | str | None) -> bytes | None:
    if tokenizer is None:
        return checkpoint.tokenizer()
    try:
        return read_bytes(Path(tokenizer))
    except TercelError as error:
        raise TercelError(f"the tokenizer {error}") from None


def _check_padding(checkpoint: Checkpoint, plan: GranularityPlan) -> None:
    if checkpoint.padding is not None and plan.granularity == "group":
        raise TercelError(
            f"heads of {checkpoint.padding.size} elements, which the device pads, cannot have "
            "scales of groups: their columns would move between groups"
        )


def _give_rows(
    builder: ImageBuilder, checkpoint: Checkpoint, zero: list[str], errors: RoundingErrors
) -> Rows | Ternary:
    """Add embedding and head to the builder; return the embedding.

    The names of all-zero tensors are appended to ``zero``.
    """
    config = builder.config
    if config.ternary_head:
        found = None
        for name in head_names(config):
            found = ternary_rows(checkpoint, name)
            errors.add(found.rounding)
            _give_ternary(builder, name, found.ternary)
            if not found.ternary.trits.any():
                zero.append(name)
        assert found is not None
        return found.ternary
    rows = Rows(
        values=np.empty((config.vocab_size, config.hidden_size), np.int8),
        scales=np.empty(config.vocab_size, np.float32),
    )
    for name in head_names(config):
        start = 0
        for values, scales in checkpoint.quantised_rows(name):
            place = slice(start, start + len(values))
            rows.values[place], rows.scales[place] = values, scales
            start += len(values)
        builder.rows(name, rows.values, rows.scales)
        if not rows.values.any():
            zero.append(name)
    return rows


def _give_ternary(builder: ImageBuilder, name: str, ternary: Ternary) -> None:
    scale, multipliers = ternary.scale, ternary.multipliers
    builder.ternary(
        name,
        ternary.trits.numpy(),
        scale.numpy() if isinstance(scale, Tensor) else scale,
        None if multipliers is None else multipliers.numpy().astype(np.uint16),
    )


def _layers(
    checkpoint: Checkpoint,
    report: Callable[[str], None],
    reader: MatrixReader,
    rounds: bool,
) -> Iterator[tuple[str, Ternary | Tensor]]:
    """Names and tensors of all layers; :func:`absmean` rounds float matrices if ``rounds``.

    Raises
    ------
    TercelError
        If a matrix is not ternary and ``rounds`` is false.
    """
    config, padding, ternary = checkpoint.config, checkpoint.padding, list[str]()
    for index in range(config.layers):
        for part in config.linears():
            name = f"layers.{index}.{part}"
            weight = reader.read(name)
            if not isinstance(weight, Ternary):
                if not rounds:
                    raise TercelError(
                        f"{name} is not ternary, although the first layer is; choose a method for "
                        f"the matrices that are not: {', '.join(METHODS)}"
                    )
                known = recognise(weight) if checkpoint.declared_ternary else None
                if known is not None and known.trits.any():
                    ternary.append(f"{name} ({known.granularity})")
                weight = absmean(weight, reader.granularity)
            yield name, weight if padding is None else padding.matrix(part, weight)
        for part in config.norms():
            name = f"layers.{index}.{part}"
            gain = checkpoint.floats(name)
            yield name, gain if padding is None else padding.gain(part, gain)
        report(f"layer {index + 1} of {config.layers}")
    if ternary:
        report(
            f"warning: the checkpoint declares float masters, but {len(ternary)} matrices are "
            f"ternary already, the first is {ternary[0]}; they are rounded as masters, as "
            "transformers does, which changes their scales"
        )
