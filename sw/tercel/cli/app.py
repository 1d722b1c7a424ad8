"""The ``tercel`` command group and its built-in commands."""

import signal
from types import FrameType
from typing import Annotated, NoReturn

import typer

import tercel
from tercel.cli.bench import bench
from tercel.cli.chat import chat
from tercel.cli.devices import devices
from tercel.cli.doctor import doctor
from tercel.cli.group import CommandGroup
from tercel.cli.inspect import inspect
from tercel.cli.run import run

__all__ = ["app", "main"]

TERMINATED = 143
"""Exit status of a shell for SIGTERM."""

app = typer.Typer(
    name="tercel",
    cls=CommandGroup,
    help="Ternary language models on edge FPGAs.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(run)
app.command()(chat)
app.command()(inspect)
app.command()(bench)
app.command()(devices)
app.command()(doctor)


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


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    """Exit through the stack, so that temporary files are removed as on an interrupt."""
    raise SystemExit(TERMINATED)


def main() -> None:
    """Run the command line; the entry point of ``tercel``."""
    signal.signal(signal.SIGTERM, _terminate)
    app()
