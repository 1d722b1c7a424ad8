"""The command ``tercel shortlist``."""

import json
from pathlib import Path
from typing import Annotated

import typer

from tercel.cli.options import ModelArgument
from tercel.cli.outputs import open_output
from tercel.cli.units import format_bytes
from tercel.files import is_standard_output
from tercel.image import Image
from tercel.runtime import find_model
from tercel_quant.layout_option import LayoutOption, named_layout
from tercel_quant.text_file import read_text

__all__ = ["shortlist"]


def shortlist(
    model: ModelArgument,
    text: Annotated[
        Path,
        typer.Option(
            "--text",
            "-t",
            help="UTF-8 text of the kind that the model will meet.",
            show_default=False,
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
    rows: Annotated[
        int, typer.Option(help="Rows that are listed for a token: a power of two in 32..4096.")
    ] = 1024,
    tokens: Annotated[
        int, typer.Option(help="Most tokens of the text, spread over it; an eighth is held out.")
    ] = 16384,
    layout: LayoutOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Add a shortlist to an image, for passes with a two-stage head (`tercel run --two-stage`).

    A ternary form of the head ranks all rows, and only the listed ones are read. It is fitted to
    the inputs that the head has on the text; the share of held-out tokens whose list has the row
    that the whole head ranks first is shown.
    """
    tape, sidecar = named_layout(layout)
    path = find_model(model)
    with open_output(output, inputs=[path, text, sidecar]) as file:
        image = Image.open(path)
        from tercel_quant.shortlist.conversion import add_shortlist

        found = add_shortlist(
            image,
            file,
            read_text(text),
            rows=rows,
            tokens=tokens,
            layout=tape,
            report=lambda line: typer.echo(line, err=True),
        )
    to_errors = is_standard_output(output)  # standard output carries the image
    whole, two_stage = found.pass_bytes
    if as_json:
        facts = {
            "output": str(output),
            "model": found.config.name,
            "rows": found.config.shortlist,
            "calibration_tokens": found.calibration_tokens,
            "held_out_tokens": found.agreement.tokens,
            "agreeing_tokens": found.agreement.agreeing,
            "image_bytes": found.image_bytes,
            "pass_bytes": {"whole": whole, "two_stage": two_stage},
            "evidence": "measured on this machine; device: emulator, exact",
        }
        typer.echo(json.dumps(facts, indent=2), err=to_errors)
        return
    typer.echo(
        f"{output}: {found.config.name}, a shortlist of {rows} rows, "
        f"{format_bytes(found.image_bytes)}; a pass of one token reads {format_bytes(two_stage)} "
        f"of the tape in place of {format_bytes(whole)}",
        err=to_errors,
    )
    measured = found.agreement
    typer.echo(
        f"the list has the argmax of the whole head after {measured.agreeing} of "
        f"{measured.tokens} held-out tokens ({100 * measured.share:.2f} %)",
        err=to_errors,
    )
