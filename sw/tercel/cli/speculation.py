"""Options of speculative decoding, shared by several commands."""

from collections.abc import Sequence
from typing import Annotated

import typer

from tercel.device import Device
from tercel.errors import TercelError
from tercel.image import Image
from tercel.runtime import TextTokenizer, find_model
from tercel.speculation import Acceptor
from tercel.speculation.acceptors.registry import ACCEPTORS, AcceptorResources, make_acceptor
from tercel.speculation.methods import AUTO, METHODS, NONE, DraftSources

__all__ = [
    "AcceptorOption",
    "DraftMaxOption",
    "DraftModelOption",
    "draft_sources",
    "method_names",
    "open_acceptor",
    "print_note",
]

AcceptorOption = Annotated[
    str,
    typer.Option(
        help=f"Rule that judges drafts, with its options: {', '.join(ACCEPTORS)}.",
        metavar="NAME[:OPTION=VALUE,...]",
    ),
]
DraftMaxOption = Annotated[
    int | None,
    typer.Option(
        "--draft-max", help="Most tokens of a draft; by default what fits into a pass.", metavar="N"
    ),
]
DraftModelOption = Annotated[
    str | None,
    typer.Option(
        "--draft-model",
        help="The small model of the methods draft and expert: an image.",
        metavar="MODEL",
    ),
]


def print_note(line: str) -> None:
    """Print a line to standard error that is no error."""
    typer.echo(f"note: {line}", err=True)


def method_names() -> list[str]:
    """Names of all methods, for completion and messages."""
    return [AUTO, NONE, *METHODS]


def draft_sources(
    image: Image, device: Device, draft_model: str | None, methods: Sequence[str]
) -> DraftSources:
    """The sources of drafters that the command line names.

    Raises
    ------
    TercelError
        If the draft model cannot be opened, or none of the methods drafts with it.
    """
    takers = [name for name, method in METHODS.items() if method.small_model]
    if draft_model is not None and not set(takers) & set(methods):
        raise TercelError(
            f"--draft-model is for the methods {', '.join(takers[:-1])} and {takers[-1]}, not for "
            f"{', '.join(methods)}; name one of them with --spec, or leave the model out"
        )
    small = None if draft_model is None else Image.open(find_model(draft_model))
    return DraftSources(image=image, device=device, draft_model=small)


def open_acceptor(text: str, image: Image, tokenizer: TextTokenizer) -> Acceptor:
    """Open the acceptor of the command line; a lossy one is told on standard error.

    Raises
    ------
    TercelError
        If there is no such acceptor or an option is wrong.
    """
    resources = AcceptorResources(image=image, token_bytes=tokenizer.token_bytes)
    acceptor = make_acceptor(text, resources)
    if not acceptor.lossless:
        name = text.partition(":")[0]
        print_note(f"the acceptor {name} is lossy; the text is not the model's own")
    return acceptor
