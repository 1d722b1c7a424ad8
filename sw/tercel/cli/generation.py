"""Options of commands that generate text."""

from pathlib import Path
from typing import Annotated

import typer

from tercel.cli.options import open_with_settings
from tercel.cli.output import print_statistics
from tercel.cli.speculation import draft_sources, method_names, open_acceptor, print_note
from tercel.errors import TercelError
from tercel.image import ChatFormat, Image
from tercel.runtime import ChatTemplate, Generator, TextTokenizer
from tercel.speculation import Acceptor
from tercel.speculation.methods import open_speculator

__all__ = [
    "IgnoreEosOption",
    "MaxTokensOption",
    "SpecOption",
    "SpecStatsOption",
    "StatsOption",
    "StopOption",
    "SystemOption",
    "TemplateOption",
    "TwoStageOption",
    "VerboseOption",
    "open_generator",
    "open_template",
    "print_run",
]

MaxTokensOption = Annotated[
    int, typer.Option("--max-tokens", "-n", help="Most tokens to generate.")
]
StopOption = Annotated[
    list[str] | None,
    typer.Option(
        help="End before this string, or at this special token; may be given several times.",
        metavar="TEXT",
    ),
]
IgnoreEosOption = Annotated[
    bool, typer.Option("--ignore-eos", help="Go on after the model's end tokens.")
]
SpecOption = Annotated[
    str,
    typer.Option(
        help="Method that drafts tokens: auto, none or one of `tercel bench --spec all`. "
        "auto drafts where it saves time.",
        autocompletion=method_names,
        metavar="NAME",
    ),
]
SpecStatsOption = Annotated[
    bool,
    typer.Option("--spec-stats", help="Print what was drafted and accepted to standard error."),
]
StatsOption = Annotated[
    bool, typer.Option("--stats", help="Print speed and memory traffic to standard error.")
]
TwoStageOption = Annotated[
    bool,
    typer.Option(
        "--two-stage",
        help="Read of the head only the rows that the image's shortlist lists; draws are then from "
        "those, greedy or with --top-k. See `tercel shortlist`.",
    ),
]
SystemOption = Annotated[
    str | None,
    typer.Option(help="Instructions that stand before the conversation.", metavar="TEXT"),
]
TemplateOption = Annotated[
    Path | None,
    typer.Option(help="A Jinja file in place of the image's chat template.", metavar="FILE"),
]
VerboseOption = Annotated[
    bool,
    typer.Option("--verbose", help="Print the sampling and the whole prompt to standard error."),
]


def open_template(image: Image, tokenizer: TextTokenizer, path: Path | None) -> ChatTemplate:
    """The chat template of a file, else of the image.

    Raises
    ------
    TercelError
        If the file cannot be read, or there is neither.
    """
    if path is None:
        return ChatTemplate.of_image(image)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TercelError(f"the template {path} cannot be read: {error}") from None
    if image.chat is not None:
        tokens = image.chat.special_tokens
    else:
        config = image.config
        ids = {"bos_token": config.bos_token, "eos_token": next(iter(config.eos_tokens), None)}
        texts = {name: tokenizer.written(id_) for name, id_ in ids.items() if id_ is not None}
        tokens = {name: text for name, text in texts.items() if text is not None}
    return ChatTemplate(ChatFormat(template=text, special_tokens=tokens))


def open_generator(
    image: Image,
    tokenizer: TextTokenizer,
    *,
    device: str,
    nodes: int | None,
    context: int | None,
    settings: list[str] | None,
    spec: str,
    acceptor: str,
    draft_max: int | None,
    draft_model: str | None,
) -> tuple[Generator, Acceptor]:
    """A generator on a device, with the speculation of the command line and its acceptor.

    Raises
    ------
    TercelError
        If an option is wrong, or the device or the method refuses the model.
    """
    opened = open_with_settings(device, image, nodes=nodes, context=context, settings=settings)
    sources = draft_sources(image, opened, draft_model, [spec])
    judge = open_acceptor(acceptor, image, tokenizer)
    speculator = open_speculator(
        spec, sources, acceptor=judge, draft_nodes=draft_max, note=print_note
    )
    return Generator(opened, tokenizer, speculator), judge


def print_run(generator: Generator, *, device: str, seed: int) -> None:
    """Print the statistics of the last generation to standard error."""
    print_statistics(
        generator.statistics,
        end=f"{generator.finish_reason}, seed {seed}",
        evidence=f"{device}, measured on this machine",
    )
