"""The commands that train heads: ``hydra``, ``medusa`` and ``blockwise``.

Modules that need the extra are imported when a command runs.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tercel.cli.options import ModelArgument
from tercel.cli.units import format_bytes
from tercel.image import Image
from tercel.runtime import DEFAULT_MODEL
from tercel_quant.train_drafter.output_option import OutputOption, open_training, report

if TYPE_CHECKING:
    from tercel_quant.train_drafter.head_data import HeadData
    from tercel_quant.train_drafter.head_model import HeadModel

__all__ = ["blockwise", "hydra", "medusa"]

TextOption = Annotated[
    list[Path],
    typer.Option(
        "--text",
        "-t",
        help="UTF-8 text whose passages the model continues; may be given several times.",
        show_default=False,
    ),
]
FolderOption = Annotated[
    Path,
    typer.Option(
        help="Folder of the model's own text and of the checkpoint, from which a run resumes. "
        "Other kinds of heads use the same text."
    ),
]
TokensOption = Annotated[int, typer.Option(help="Tokens of the model's own text.")]
PromptOption = Annotated[int, typer.Option(help="Tokens of a passage that the model continues.")]
LengthOption = Annotated[int, typer.Option(help="Tokens of a passage and its continuation.")]
SequencesOption = Annotated[int, typer.Option(help="Sequences that are decoded together.")]
StepsOption = Annotated[int, typer.Option(help="Updates.")]
BatchOption = Annotated[int, typer.Option(help="Positions of an update.")]
LevelsOption = Annotated[int, typer.Option(help="Tokens of a draft.")]
RowsOption = Annotated[
    int, typer.Option(help="Rows of the head: the most frequent tokens of the model's own text.")
]
CandidatesOption = Annotated[
    int, typer.Option(help="Rows that are read: the tokens that follow a token most often.")
]
SeedOption = Annotated[int, typer.Option(help="Seed of passages, draws, weights and batches.")]
RootOption = Annotated[
    bool,
    typer.Option(
        "--sees-root/--blind",
        help="Heads that see the root too, or the hidden state alone as published.",
    ),
]


def hydra(
    text: TextOption,
    model: ModelArgument = DEFAULT_MODEL,
    output: OutputOption = None,
    folder: FolderOption = Path("build/drafters"),
    tokens: TokensOption = 360_000,
    prompt: PromptOption = 64,
    length: LengthOption = 256,
    sequences: SequencesOption = 128,
    steps: StepsOption = 2500,
    batch_size: BatchOption = 384,
    levels: LevelsOption = 5,
    rows: RowsOption = 2048,
    candidates: CandidatesOption = 128,
    width: Annotated[int, typer.Option(help="Width of a state.")] = 128,
    inner: Annotated[int, typer.Option(help="Width of the first step's inner layer.")] = 512,
    next_inner: Annotated[int, typer.Option(help="Width of the other steps' inner layer.")] = 256,
    seed: SeedOption = 0,
) -> None:
    """Train a recurrent head: from the hidden state and the tokens drafted so far."""

    def build(image: Image, data: "HeadData") -> "HeadModel":
        from tercel_quant.train_drafter.hydra import Hydra

        return Hydra(image, data, width=width, inner=(inner, next_inner))

    _train(
        "hydra",
        build,
        model,
        text,
        output,
        folder,
        own={"tokens": tokens, "prompt": prompt, "length": length, "sequences": sequences},
        heads={"levels": levels, "rows": rows, "candidates": candidates},
        training={"steps": steps, "batch_size": batch_size},
        seed=seed,
    )


def medusa(
    text: TextOption,
    model: ModelArgument = DEFAULT_MODEL,
    output: OutputOption = None,
    folder: FolderOption = Path("build/drafters"),
    tokens: TokensOption = 360_000,
    prompt: PromptOption = 64,
    length: LengthOption = 256,
    sequences: SequencesOption = 128,
    steps: StepsOption = 1500,
    batch_size: BatchOption = 384,
    levels: LevelsOption = 4,
    rows: RowsOption = 2048,
    candidates: CandidatesOption = 64,
    sees_root: RootOption = True,
    seed: SeedOption = 0,
) -> None:
    """Train Medusa heads: one residual block for each token of a draft."""

    def build(image: Image, data: "HeadData") -> "HeadModel":
        from tercel_quant.train_drafter.parallel_heads import Medusa

        return Medusa(image, data, sees_root=sees_root)

    _train(
        "medusa",
        build,
        model,
        text,
        output,
        folder,
        own={"tokens": tokens, "prompt": prompt, "length": length, "sequences": sequences},
        heads={"levels": levels, "rows": rows, "candidates": candidates},
        training={"steps": steps, "batch_size": batch_size},
        seed=seed,
    )


def blockwise(
    text: TextOption,
    model: ModelArgument = DEFAULT_MODEL,
    output: OutputOption = None,
    folder: FolderOption = Path("build/drafters"),
    tokens: TokensOption = 360_000,
    prompt: PromptOption = 64,
    length: LengthOption = 256,
    sequences: SequencesOption = 128,
    steps: StepsOption = 1000,
    batch_size: BatchOption = 384,
    levels: LevelsOption = 4,
    rows: RowsOption = 2048,
    candidates: CandidatesOption = 64,
    inner: Annotated[int, typer.Option(help="Width of the inner layer of all heads.")] = 512,
    sees_root: RootOption = True,
    seed: SeedOption = 0,
) -> None:
    """Train the heads of blockwise parallel decoding: one feed-forward layer for all."""

    def build(image: Image, data: "HeadData") -> "HeadModel":
        from tercel_quant.train_drafter.parallel_heads import Blockwise

        return Blockwise(image, data, inner=inner, sees_root=sees_root)

    _train(
        "blockwise",
        build,
        model,
        text,
        output,
        folder,
        own={"tokens": tokens, "prompt": prompt, "length": length, "sequences": sequences},
        heads={"levels": levels, "rows": rows, "candidates": candidates},
        training={"steps": steps, "batch_size": batch_size},
        seed=seed,
    )


def _train(
    kind: str,
    build: "Callable[[Image, HeadData], HeadModel]",
    model: str,
    texts: list[Path],
    output: Path | None,
    folder: Path,
    *,
    own: dict[str, int],
    heads: dict[str, int],
    training: dict[str, int],
    seed: int,
) -> None:
    image, path = open_training(model, kind, output, texts)
    from tercel_quant.train_drafter.head_run import train_heads

    facts = train_heads(
        kind,
        build,
        image,
        texts,
        path,
        folder,
        own={**own, "seed": seed},
        heads=heads,
        training={**training, "seed": seed},
        report=report,
    )
    typer.echo(f"{path}: {kind} of {image.config.name}, {format_bytes(path.stat().st_size)}")
    for name, value in facts.items():
        typer.echo(f"  {name}: {value}")
