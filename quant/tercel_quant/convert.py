"""From a checkpoint to an image."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from tercel.config import ModelConfig
from tercel.errors import TercelError
from tercel.image import ImageBuilder, TapeLayout
from tercel.numerics import quantise_rows
from tercel.runtime import TextTokenizer
from tercel_quant.importers import Checkpoint, Ternary, open_checkpoint
from tercel_quant.ternarise import CalibrationConfig, absmean, calibrated_layers
from tercel_quant.text import text_windows

__all__ = ["METHODS", "Conversion", "convert"]

METHODS = ("absmean", "calibrated")
"""Ways to ternarise a model that was not trained ternary."""


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """What :func:`convert` did."""

    config: ModelConfig
    source: str
    """The checkpoint's layout in words."""
    method: str
    """``imported`` for a model trained ternary, else one of :data:`METHODS`."""
    image_bytes: int
    all_zero: tuple[str, ...]
    """Matrices without a weight that is not 0."""


def convert(
    source: Path | str,
    output: Path | str,
    *,
    layout: TapeLayout | None = None,
    method: str | None = None,
    tokenizer: Path | str | None = None,
    name: str | None = None,
    calibration_text: str | None = None,
    calibration_tokens: int = 32768,
    calibration: CalibrationConfig | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> Conversion:
    """Convert a checkpoint to an image, tensor by tensor.

    Parameters
    ----------
    source : Path or str
        A Hugging Face folder or a GGUF file.
    output : Path or str
        The image; on any failure it is as before.
    layout : TapeLayout, optional
        Of the tape; the kv260's by default.
    method : str, optional
        One of :data:`METHODS`, needed for a model that was not trained ternary, and only there.
    tokenizer : Path or str, optional
        A ``tokenizer.json`` in place of the checkpoint's own.
    name : str, optional
        The model's name in the image, in place of the checkpoint's file name.
    calibration_text : str, optional
        Needed for ``calibrated``; text of the kind that the model will meet.
    calibration_tokens : int
        Most tokens of it to use, spread evenly over it; more of them serve unseen text better.
    calibration : CalibrationConfig, optional
    report : callable
        Told what is being done, a line at a time.

    Returns
    -------
    Conversion

    Raises
    ------
    TercelError
        If the checkpoint is refused, the method does not fit it, or the tokenizer does not.
    """
    checkpoint = open_checkpoint(source)
    _check_method(checkpoint, method, calibration_text)
    report(f"reading {source}: {checkpoint.description}")
    text = _tokenizer_bytes(checkpoint, tokenizer)
    config = checkpoint.config
    if name is not None:
        config = ModelConfig(**{**vars(config), "name": name})
    # One that `tercel run` could not use is told now.
    reader = None if text is None else TextTokenizer(text)
    builder = ImageBuilder(config=config, layout=layout, tokenizer=text)
    embedding = _give_rows(builder, checkpoint)
    if method == "calibrated":
        assert calibration_text is not None
        if reader is None:
            raise TercelError(
                f"{source} has no tokenizer, which calibration needs; give a tokenizer.json"
            )
        windows = text_windows(
            calibration_text,
            reader,
            context=min(512, config.context),
            tokens=calibration_tokens,
        )
        tensors = calibrated_layers(
            checkpoint, embedding, windows, calibration or CalibrationConfig(), report
        )
    else:
        tensors = _layers(checkpoint, report)
    zero = []
    for tensor_name, tensor in tensors:
        if isinstance(tensor, Ternary):
            if not tensor.trits.any():
                zero.append(tensor_name)
            builder.ternary(tensor_name, tensor.trits.numpy(), tensor.scale)
        else:
            builder.gain(tensor_name, tensor.numpy())
    builder.gain("norm", checkpoint.gain("norm").numpy())
    builder.write(output)
    return Conversion(
        config=config,
        source=checkpoint.description,
        method="imported" if method is None else method,
        image_bytes=Path(output).stat().st_size,
        all_zero=tuple(zero),
    )


def _check_method(checkpoint: Checkpoint, method: str | None, calibration_text: str | None) -> None:
    if method is not None and method not in METHODS:
        raise TercelError(f"method must be one of {', '.join(METHODS)}, not {method!r}")
    if checkpoint.trained_ternary and method is not None:
        raise TercelError(
            f"this checkpoint ({checkpoint.description}) was trained ternary and is imported as it "
            f"is; leave out the method {method!r}"
        )
    if not checkpoint.trained_ternary and method is None:
        raise TercelError(
            f"this checkpoint ({checkpoint.description}) was not trained ternary; "
            f"choose a method: {', '.join(METHODS)}"
        )
    if (method == "calibrated") != (calibration_text is not None):
        raise TercelError(
            "the method 'calibrated' needs a calibration text, and no other method takes one"
        )


def _tokenizer_bytes(checkpoint: Checkpoint, tokenizer: Path | str | None) -> bytes | None:
    if tokenizer is None:
        return checkpoint.tokenizer()
    try:
        return Path(tokenizer).read_bytes()
    except OSError as error:
        raise TercelError(f"the tokenizer {tokenizer} cannot be read: {error.strerror}") from None


def _give_rows(builder: ImageBuilder, checkpoint: Checkpoint) -> Tensor:
    """Give embedding and head to the builder; return the embedding as the image has it."""
    if not checkpoint.config.tied_head:
        builder.rows("head", *quantise_rows(checkpoint.rows("head").numpy()))
    values, scales = quantise_rows(checkpoint.rows("embedding").numpy())
    builder.rows("embedding", values, scales)
    return torch.from_numpy(values) * torch.from_numpy(scales)[:, None]


def _layers(
    checkpoint: Checkpoint, report: Callable[[str], None]
) -> Iterator[tuple[str, Ternary | Tensor]]:
    """All layers' tensors, float matrices rounded by :func:`absmean`."""
    config = checkpoint.config
    for index in range(config.layers):
        for part in config.linears():
            name = f"layers.{index}.{part}"
            weight = checkpoint.matrix(name)
            yield name, weight if isinstance(weight, Ternary) else absmean(weight)
        for part in config.norms():
            name = f"layers.{index}.{part}"
            yield name, checkpoint.gain(name)
        report(f"layer {index + 1} of {config.layers}")
