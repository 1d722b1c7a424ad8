"""The commands ``ppd`` and ``deer`` of ``tercel train-drafter``.

Modules that need the extra are imported when a command runs.
"""

from pathlib import Path
from typing import Annotated

import typer

from tercel.cli.options import ModelArgument
from tercel.cli.units import format_bytes
from tercel.runtime import DEFAULT_MODEL
from tercel_quant.train_drafter.head_commands import (
    FolderOption,
    LengthOption,
    PromptOption,
    SeedOption,
    SequencesOption,
    StepsOption,
    TextOption,
    TokensOption,
)
from tercel_quant.train_drafter.output_option import OutputOption, open_training, report

__all__ = ["deer", "ppd"]


def ppd(
    text: TextOption,
    model: ModelArgument = DEFAULT_MODEL,
    output: OutputOption = None,
    folder: FolderOption = Path("build/drafters"),
    tokens: TokensOption = 360_000,
    prompt: PromptOption = 64,
    length: LengthOption = 256,
    sequences: SequencesOption = 128,
    steps: StepsOption = 400,
    prompt_tokens: Annotated[int, typer.Option(help="Prompt tokens.")] = 3,
    seed: SeedOption = 0,
) -> None:
    """Train prompt tokens, which guess the tokens after the next one in the pass itself."""
    image, path = open_training(model, "ppd", output, text)
    from tercel_quant.train_drafter.own_text import OwnTextConfig
    from tercel_quant.train_drafter.ppd_run import train_ppd
    from tercel_quant.train_drafter.prompt_tokens import PromptTokenConfig

    chances = train_ppd(
        image,
        text,
        path,
        folder,
        own=OwnTextConfig(
            tokens=tokens, prompt=prompt, length=length, sequences=sequences, seed=seed
        ),
        config=PromptTokenConfig(tokens=prompt_tokens, steps=steps, seed=seed),
        report=report,
    )
    typer.echo(f"{path}: {prompt_tokens} prompt tokens, {format_bytes(path.stat().st_size)}")
    for name, table in chances.items():
        first = ", ".join(f"{100 * share:.1f}" for share in table[:, 0].tolist())
        among = ", ".join(f"{100 * share:.1f}" for share in table.sum(1).tolist())
        typer.echo(f"{name}: first guess right {first} %, among {table.shape[1]} {among} %")


def deer(
    text: TextOption,
    model: ModelArgument = DEFAULT_MODEL,
    output: OutputOption = None,
    folder: FolderOption = Path("build/drafters"),
    tokens: TokensOption = 360_000,
    prompt: PromptOption = 64,
    length: LengthOption = 256,
    sequences: SequencesOption = 128,
    continuation_steps: Annotated[int, typer.Option(help="Updates of stage I.")] = 700,
    refinement_steps: Annotated[int, typer.Option(help="Updates of stage II.")] = 300,
    context: Annotated[int, typer.Option(help="Tokens of the text that it sees.")] = 16,
    masks: Annotated[int, typer.Option(help="Tokens that it fills in one step.")] = 7,
    words: Annotated[int, typer.Option(help="Tokens that can be drafted.")] = 2048,
    seed: SeedOption = 0,
) -> None:
    """Train a small diffusion model, which fills a whole draft in one step."""
    image, path = open_training(model, "deer", output, text)
    from tercel_quant.train_drafter.block_model import BlockConfig
    from tercel_quant.train_drafter.block_trainer import BlockTrainingConfig
    from tercel_quant.train_drafter.deer_run import train_deer
    from tercel_quant.train_drafter.own_text import OwnTextConfig

    covered = train_deer(
        image,
        text,
        path,
        folder,
        own=OwnTextConfig(
            tokens=tokens, prompt=prompt, length=length, sequences=sequences, seed=seed
        ),
        shape=BlockConfig(context=context, masks=masks),
        config=BlockTrainingConfig(
            continuation_steps=continuation_steps, refinement_steps=refinement_steps, seed=seed
        ),
        words=words,
        report=report,
    )
    size = format_bytes(path.stat().st_size)
    typer.echo(f"{path}: {words} words, {100 * covered:.1f} % of the model's own text, {size}")
