"""The commands together."""

import io
import sys
from typing import Annotated

import typer

import tercel
from tercel.cli.bench import bench
from tercel.cli.group import CommandGroup
from tercel.cli.inspect import inspect
from tercel.cli.run import run

__all__ = ["app", "main"]

app = typer.Typer(
    name="tercel",
    cls=CommandGroup,
    help="Ternary language models on edge FPGAs.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(run)
app.command()(inspect)
app.command()(bench)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tercel {tercel.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Ternary language models on edge FPGAs."""


def main() -> None:
    """Run the command line; the entry point of ``tercel``."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    app()
