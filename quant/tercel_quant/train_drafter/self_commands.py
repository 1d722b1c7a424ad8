"""The command ``tercel train-drafter self``.

Modules that need the extra are imported when the command runs.
"""

from pathlib import Path
from typing import Annotated

import typer

from tercel.cli.options import ModelArgument
from tercel.image import Image
from tercel.runtime import DEFAULT_DEVICE, DEFAULT_MODEL, find_model
from tercel.speculation.drafters.self_speculation import KIND
from tercel_quant.train_drafter.output_option import OutputOption, destination, report

__all__ = ["self_speculation"]


def self_speculation(
    text: Annotated[
        list[Path],
        typer.Option(
            help="Text of the kind of the prompts; may be given several times.", show_default=False
        ),
    ],
    model: ModelArgument = DEFAULT_MODEL,
    output: OutputOption = None,
    device: Annotated[
        str, typer.Option(help="Device whose passes are timed, one of `tercel devices`.")
    ] = DEFAULT_DEVICE,
    temperature: Annotated[float, typer.Option(help="Temperature of the texts.")] = 0.0,
    head_rows: Annotated[
        int | None,
        typer.Option(help="Rows of the head of drafts; by default all.", show_default=False),
    ] = None,
    top_k: Annotated[int, typer.Option(help="Candidates of a drafted token.")] = 16,
    trials: Annotated[int, typer.Option(help="Sets of layers to try.")] = 100,
    seed: Annotated[int, typer.Option(help="Seed of texts and search.")] = 1,
) -> None:
    """Search the layers that the drafter `self` runs: the highest gain by measured times."""
    from tercel_quant.train_drafter.layer_search import LayerSearchConfig
    from tercel_quant.train_drafter.self_speculation import search_self_speculation
    from tercel_quant.train_drafter.text import text_tokens

    image = Image.open(find_model(model))
    half = image.config.context // 2
    config = LayerSearchConfig(
        head_rows=image.config.vocab_size if head_rows is None else head_rows,
        top_k=top_k,
        temperature=temperature,
        trials=trials,
        seed=seed,
        prompt=min(LayerSearchConfig.prompt, half),
        length=min(LayerSearchConfig.length, half),
    )
    path = destination(image, KIND, output, text)
    best = search_self_speculation(
        image,
        text_tokens(text, image),
        path=path,
        config=config,
        device=device,
        report=report,
    )
    typer.echo(f"{path}: {best.description}, {best.drafted} tokens a draft, gain {best.gain:.3f}")
    if best.gain <= 1:
        typer.echo("note: no set of layers is faster than plain decoding", err=True)
