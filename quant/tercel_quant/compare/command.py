"""``tercel compare``: an image against its checkpoint in transformers."""

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from tercel.cli.options import ModelArgument
from tercel.errors import TercelError
from tercel.image import Image
from tercel.runtime import TextTokenizer, find_model

if TYPE_CHECKING:
    from torch import Tensor

    from tercel_quant.compare.comparison import Comparison

__all__ = ["compare"]

WINDOW = 128
"""Most tokens of a window."""
DIFFERENT = 1
"""Exit status if the image differs beyond rounding."""


def compare(
    checkpoint: Annotated[
        Path, typer.Argument(help="A Hugging Face folder or a GGUF file that transformers loads.")
    ],
    image: ModelArgument,
    text: Annotated[
        Path | None,
        typer.Option("--text", "-t", help="UTF-8 text; by default random tokens of one seed."),
    ] = None,
    tokens: Annotated[int, typer.Option(help="Most tokens of the text.", metavar="N")] = 256,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Find where an image first differs from its checkpoint beyond rounding.

    Every block of the model gets the input that it has in transformers, so its error is its own.
    The logits of the whole model are compared for the float reference and for the device. The exit
    status is 1 if a block differs beyond rounding. transformers holds all weights in float32.
    """
    model = Image.open(find_model(image))
    windows = _windows(model, text, tokens)
    from tercel_quant.compare.comparison import compare as measure

    found = measure(checkpoint, model, windows, report=lambda line: typer.echo(line, err=True))
    if as_json:
        typer.echo(json.dumps(_facts(found), indent=2))
    else:
        _show(found)
    if found.first is not None:
        raise typer.Exit(DIFFERENT)


def _windows(image: Image, text: Path | None, tokens: int) -> "Tensor":
    """Windows of the text, or of random tokens."""
    import torch

    from tercel_quant.text import text_windows

    size = min(WINDOW, image.config.context, tokens)
    if size < 2:
        raise TercelError(f"tokens must be at least 2, not {tokens}")
    if text is None:
        generator = torch.Generator().manual_seed(0)
        shape = (tokens // size, size)
        return torch.randint(image.config.vocab_size, shape, generator=generator)
    if image.tokenizer is None:
        raise TercelError(f"{image.path} has no tokenizer, so it reads no text; leave out --text")
    try:
        content = text.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TercelError(f"the text {text} cannot be read: {error}") from None
    return text_windows(content, TextTokenizer(image.tokenizer), context=size, tokens=tokens)


def _facts(found: "Comparison") -> dict:
    facts = dataclasses.asdict(found)
    facts["blocks"] = [
        entry | {"differs": block.differs}
        for entry, block in zip(facts["blocks"], found.blocks, strict=True)
    ]
    facts["first"] = None if found.first is None else found.first.name
    facts["evidence"] = "measured on this machine; device: emulator, exact"
    return facts


def _show(found: "Comparison") -> None:
    blocks = Table(title="Error of each block, given its input in transformers", box=None)
    for name in ("block", "int8 activations", "float activations", ""):
        blocks.add_column(name, justify="left" if name in ("block", "") else "right")
    for block in found.blocks:
        told = "differs" if block.differs else ""
        blocks.add_row(block.name, f"{block.rounded:.2e}", f"{block.unrounded:.2e}", told)
    title = f"Logits of {found.positions} positions; perplexity of transformers "
    logits = Table(title=f"{title}{found.oracle_perplexity:.4f}", box=None)
    for name in ("arithmetic", "same argmax", "KL, nats", "perplexity"):
        logits.add_column(name, justify="left" if name == "arithmetic" else "right")
    for name, each in found.agreements.items():
        argmax, divergence = f"{100 * each.argmax:.2f} %", f"{each.divergence:.2e}"
        logits.add_row(name, argmax, divergence, f"{each.perplexity:.4f}")
    console = Console(highlight=False, markup=False)
    with console.capture() as text:
        console.print(blocks)
        console.print(logits)
    typer.echo(text.get(), nl=False)
    typer.echo(_verdict(found))


def _verdict(found: "Comparison") -> str:
    block = found.first
    if block is None:
        return "no block differs beyond rounding"
    line = (
        f"first difference beyond rounding: {block.name}, {100 * block.error:.1f} % of its values"
    )
    if not found.linears:
        return line
    from tercel_quant.compare.comparison import BEYOND

    wrong = [
        f"{name} ({100 * error:.1f} %)" for name, error in found.linears.items() if error > BEYOND
    ]
    if wrong:
        return f"{line}; its linears that differ: {', '.join(wrong)}"
    return f"{line}; its linears agree, so it is RoPE, a norm or the activation"
