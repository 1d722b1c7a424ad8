"""The commands ``tercel quantize`` and ``tercel train``.

Modules that need the extra are imported when a command runs, so that ``tercel --help`` is quick
and works without the extra.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tercel.cli.outputs import open_output
from tercel.cli.units import format_bytes
from tercel.files import is_standard_output
from tercel.image import footprint
from tercel_quant.layout_option import LayoutOption, named_layout
from tercel_quant.text_file import read_text

if TYPE_CHECKING:
    from tercel_quant.convert import Conversion

__all__ = ["quantize", "train"]


def _report(line: str) -> None:
    """Print progress to standard error."""
    typer.echo(line, err=True)


def quantize(
    source: Annotated[
        Path,
        typer.Argument(
            help="A Hugging Face folder, a GGUF file, weights of `tercel train`, or an ONNX of "
            "`tercel export`."
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="The image to write: *.tercel, or - for the standard output.",
            show_default=False,
        ),
    ],
    method: Annotated[
        str | None,
        typer.Option(help="absmean or calibrated; only for models that were not trained ternary."),
    ] = None,
    calibration_text: Annotated[
        Path | None, typer.Option(help="Text of the kind that the model will meet.")
    ] = None,
    calibration_tokens: Annotated[
        int, typer.Option(help="Most tokens of the text to use.")
    ] = 32768,
    granularity: Annotated[
        str | None,
        typer.Option(
            help="Scales of the matrices: tensor, row or group (128 columns of a row); by default "
            "the coarsest that holds those of the ternary matrices exactly."
        ),
    ] = None,
    requantize: Annotated[
        bool,
        typer.Option(
            "--requantize",
            help="Reduce ternary matrices to the granularity, by default one scale each; report "
            "the error.",
        ),
    ] = False,
    i2s_layout: Annotated[
        str | None,
        typer.Option(
            help="Layout of a GGUF file's I2_S tensors, if its weights do not tell it: "
            "x86, arm or rows.",
            metavar="NAME",
        ),
    ] = None,
    tokenizer: Annotated[
        Path | None, typer.Option(help="A tokenizer.json in place of the checkpoint's own.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="The model's name in the image.")] = None,
    context: Annotated[
        int | None,
        typer.Option(
            help="Positions of the image; by default the checkpoint's, but at most 4096.",
            metavar="N",
        ),
    ] = None,
    layout: LayoutOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Make an image of a checkpoint.

    A model that was trained ternary is imported unchanged. Any other model is ternarised: absmean
    rounds, calibrated fits every layer to a text, which is slower and better. Matrices that are
    already ternary are kept.
    """
    tape, sidecar = named_layout(layout)
    from tercel_quant.convert import convert
    from tercel_quant.importers.input_files import checkpoint_files

    inputs = [*checkpoint_files(source), calibration_text, tokenizer, sidecar]
    with open_output(output, inputs=inputs) as file:
        text = None if calibration_text is None else read_text(calibration_text)
        found = convert(
            source,
            file,
            layout=tape,
            method=method,
            tokenizer=tokenizer,
            name=name,
            context=context,
            calibration_text=text,
            calibration_tokens=calibration_tokens,
            granularity=granularity,
            requantize=requantize,
            i2s_layout=i2s_layout,
            report=_report,
        )
    for tensor in found.all_zero:
        _report(f"warning: all values of {tensor} are 0")
    for line in _requantised(found) if requantize else ():
        _report(line)
    if found.multiplier_error is not None:
        worst, mean = found.multiplier_error
        _report(
            f"multipliers round the scales of groups by {100 * worst:.3f} % at most, "
            f"{100 * mean:.3f} % on average"
        )
    bits = footprint(found.config, found.layout).bits_per_weight
    to_errors = is_standard_output(output)  # standard output carries the image
    if as_json:
        facts = {
            "output": str(output),
            "model": found.config.name,
            "source": found.source,
            "method": found.method,
            "granularity": found.config.granularity,
            "ternary_head": found.config.ternary_head,
            "multiplier_error": found.multiplier_error,
            "context": found.config.context,
            "image_bytes": found.image_bytes,
            "bits_per_weight": bits,
            "all_zero": list(found.all_zero),
            "requantised": dict(found.requantised),
        }
        typer.echo(json.dumps(facts, indent=2), err=to_errors)
    else:
        size = format_bytes(found.image_bytes)
        typer.echo(
            f"{output}: {found.config.name}, {found.method}, {size}, {bits:.4f} bits/weight",
            err=to_errors,
        )


def _requantised(found: "Conversion") -> Iterator[str]:
    """Lines for the user about the error of requantised matrices."""
    if not found.requantised:
        if found.method != "calibrated":
            yield "no matrix has too many scales, so --requantize changed nothing"
        return
    worst = max(found.requantised, key=found.requantised.__getitem__)
    mean = sum(found.requantised.values()) / len(found.requantised)
    yield (
        f"warning: {len(found.requantised)} matrices had more scales than the granularity "
        f"{found.config.granularity!r} holds; error of their weights: {100 * mean:.1f} % on "
        f"average, {100 * found.requantised[worst]:.1f} % at most, of {worst}"
    )


train = typer.Typer(add_completion=False, rich_markup_mode=None)


@train.command(
    help="Train a ternary model, or its full-precision twin, from token files.",
    context_settings={
        "ignore_unknown_options": True,
        "allow_extra_args": True,
        "help_option_names": [],
    },
)
def _train(context: typer.Context) -> None:
    """Pass all arguments to the trainer's own command line, which ``torchrun`` also starts."""
    from tercel_quant.train import main

    raise typer.Exit(main(context.args))
