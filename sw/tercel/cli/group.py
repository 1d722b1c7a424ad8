"""The command group: built-in commands, commands of installed packages, error reporting."""

import sys
import warnings
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points

import typer
from typer.core import TyperGroup
from typer.main import get_command

from tercel.cli.streams import OutputError, standard_streams
from tercel.errors import TercelError

__all__ = ["INTERRUPTED", "CommandGroup"]

GROUP = "tercel.commands"
"""Entry point group: command name to a Typer function or a Typer app."""
USER_ERROR, INTERRUPTED, BROKEN_PIPE = 2, 130, 141
"""Exit statuses; the last two are 128 plus SIGINT and SIGPIPE, as in a shell."""


def _entries() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def _remedy(entry: EntryPoint, missing: str | None) -> str:
    package = entry.module.partition(".")[0]
    extra = package.removeprefix("tercel_")
    install = package if extra == package else f"tercel[{extra}]"
    return f"{entry.name} needs {missing}, which is not installed: install {install}"


def _is_ours(error: ModuleNotFoundError) -> bool:
    """True if the missing module is tercel's own, which is a defect and no missing extra."""
    return (error.name or "tercel").partition(".")[0].startswith("tercel")


class CommandGroup(TyperGroup):
    """Loads commands from entry points on demand and turns errors into messages.

    A :class:`TercelError` or a failing standard output prints its message and exits with 2, Ctrl-C
    exits with 130, and a closed pipe ends the command silently with 141.
    """

    def main(self, *args, **kwargs):
        with standard_streams():
            try:
                try:
                    return super().main(*args, **kwargs)
                finally:
                    sys.stdout.flush()
            except OutputError as error:
                if error.reader_gone:
                    raise SystemExit(BROKEN_PIPE) from None
                typer.echo(f"error: {error}", err=True)
                raise SystemExit(USER_ERROR) from None

    def list_commands(self, ctx: typer.Context) -> list[str]:
        own = super().list_commands(ctx)
        return own + sorted(set(_entries()) - set(own))

    def get_command(self, ctx: typer.Context, cmd_name: str):
        own = super().get_command(ctx, cmd_name)
        if own is not None or (entry := _entries().get(cmd_name)) is None:
            return own
        try:
            command = _load(entry)
        except ModuleNotFoundError as error:
            if _is_ours(error):
                raise
            command = _placeholder(_remedy(entry, error.name))
        command.name = cmd_name
        return command

    def invoke(self, ctx: typer.Context):
        with _reported_errors():
            try:
                return super().invoke(ctx)
            except ModuleNotFoundError as error:
                entry = _entries().get(ctx.invoked_subcommand or "")
                if entry is None or _is_ours(error):
                    raise
                raise TercelError(_remedy(entry, error.name)) from None


def _load(entry: EntryPoint):
    """Load the command of an entry point."""
    loaded = entry.load()
    if not isinstance(loaded, typer.Typer):
        function, loaded = loaded, typer.Typer(add_completion=False, rich_markup_mode=None)
        loaded.command()(function)
    return get_command(loaded)


def _placeholder(remedy: str):
    """A command that fails with ``remedy`` for any arguments."""

    def missing() -> None:
        raise TercelError(remedy)

    app = typer.Typer(add_completion=False)
    settings = {"ignore_unknown_options": True, "allow_extra_args": True}
    app.command(context_settings=settings, help=remedy)(missing)
    return get_command(app)


@contextmanager
def _reported_errors():
    try:
        try:
            yield
        except BaseException:
            # Warnings of objects that were left half way, as Amaranth's, would hide the message.
            warnings.simplefilter("ignore")
            raise
    except TercelError as error:
        sys.stdout.flush()
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(USER_ERROR) from None
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except BrokenPipeError:  # of `--output -`
        raise typer.Exit(BROKEN_PIPE) from None
