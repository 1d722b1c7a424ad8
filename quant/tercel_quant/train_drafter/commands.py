"""The command ``tercel train-drafter KIND``.

Modules that need the extra are imported when a command runs.
"""

import math
from pathlib import Path
from typing import Annotated

import typer

from tercel.cli.options import ModelArgument
from tercel.cli.units import format_bytes
from tercel.errors import TercelError
from tercel.image import Image
from tercel.runtime import DEFAULT_MODEL, find_model
from tercel.speculation.acceptors import judge as judge_head
from tercel.speculation.drafter_file import save_drafter
from tercel.speculation.drafters.ngram import KIND, ORDER
from tercel_quant.train_drafter.head_commands import blockwise, hydra, medusa
from tercel_quant.train_drafter.output_option import OutputOption, destination
from tercel_quant.train_drafter.prompt_commands import deer, ppd
from tercel_quant.train_drafter.self_commands import self_speculation

__all__ = ["train_drafter"]

train_drafter = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Train a drafter of speculative decoding for a model.",
)


@train_drafter.callback()
def _kinds() -> None:
    """A callback, so that the kind is an argument however many there are."""


train_drafter.command()(hydra)
train_drafter.command()(medusa)
train_drafter.command()(blockwise)
train_drafter.command()(ppd)
train_drafter.command()(deer)
train_drafter.command("self")(self_speculation)


@train_drafter.command()
def ngram(
    text: Annotated[
        list[Path],
        typer.Option(
            help="Text of the kind that the model writes; may be given several times. A file that "
            "is given twice counts twice.",
            show_default=False,
        ),
    ],
    model: ModelArgument = DEFAULT_MODEL,
    output: OutputOption = None,
    order: Annotated[int, typer.Option(help="Most tokens of a context.")] = ORDER,
    size: Annotated[float, typer.Option(help="Most megabytes of the store.", metavar="MB")] = 4.0,
) -> None:
    """Count the n-grams of a text, for the methods `store`, `union` and `aded`."""
    from tercel_quant.train_drafter.ngram import NgramConfig, build_store
    from tercel_quant.train_drafter.text import text_tokens

    if not math.isfinite(size):
        raise TercelError(f"--size must be a finite number of megabytes, not {size}")
    config = NgramConfig(order=order, bytes=int(size * 1e6))
    image = Image.open(find_model(model))
    path = destination(image, KIND, output, text)
    tokens = text_tokens(text, image)
    typer.echo(f"{len(tokens)} tokens", err=True)
    store = build_store(tokens, vocab_size=image.config.vocab_size, config=config)
    settings = {"order": order, "tokens": len(tokens)}
    save_drafter(path, kind=KIND, image=image, tensors=store.tensors, settings=settings)
    contexts, length = len(store.keys), format_bytes(path.stat().st_size)
    typer.echo(f"{path}: {contexts} contexts, {len(store.ids)} successors, {length}")


@train_drafter.command()
def judge(
    text: Annotated[
        list[Path],
        typer.Option(
            help="Text of the kind that the model writes; may be given several times.",
            show_default=False,
        ),
    ],
    model: ModelArgument = DEFAULT_MODEL,
    output: OutputOption = None,
    windows: Annotated[int, typer.Option(help="Pieces of the text, chosen at random.")] = 300,
    length: Annotated[int, typer.Option(help="Tokens of a piece.")] = 96,
    places: Annotated[int, typer.Option(help="Tokens of a piece that are replaced.")] = 32,
    harm: Annotated[
        float, typer.Option(help="Fraction of harmful tokens that may pass, on held-out pieces.")
    ] = 0.1,
    seed: Annotated[int, typer.Option(help="Seed of pieces, places and replacements.")] = 1,
) -> None:
    """Train the head of the acceptor `judge`: which disagreements do no harm."""
    from tercel_quant.train_drafter.frozen_model import FrozenModel
    from tercel_quant.train_drafter.judge import (
        JudgeConfig,
        choose_windows,
        judge_examples,
        train_judge,
    )
    from tercel_quant.train_drafter.text import text_tokens
    from tercel_quant.weights import ImageWeights

    config = JudgeConfig(places=places, harm=harm, seed=seed)
    image = Image.open(find_model(model))
    path = destination(image, judge_head.KIND, output, text)
    tokens = text_tokens(text, image)
    pieces = choose_windows(tokens, windows=windows, length=length, seed=seed)
    trained = train_judge(judge_examples(FrozenModel(ImageWeights(image)), pieces, config), config)
    figures = {
        "examples": trained.examples,
        "harmless": trained.harmless,
        "area": trained.area,
        "passed": trained.passed,
    }
    settings = {"windows": windows, "length": length, "places": places, "harm": harm, "seed": seed}
    judge_head.save_judge(path, trained.head, image=image, settings=settings | figures)
    typer.echo(
        f"{path}: {trained.examples} examples, {trained.harmless:.1%} of them harmless; on "
        f"held-out pieces area under the curve {trained.area:.3f}, {trained.passed:.1%} of the "
        f"harmless and {harm:.1%} of the harmful pass"
    )
