"""Commands within a conversation: lines that begin with a slash."""

from collections.abc import Callable
from pathlib import Path

import typer

from tercel.cli.outputs import open_output
from tercel.errors import TercelError
from tercel.image import Image
from tercel.runtime import Conversation

__all__ = ["ChatCommands"]

HELP = {
    "/help": "this list",
    "/reset": "forget the conversation; a system message stays",
    "/save FILE": "write the conversation with its cache",
    "/load FILE": "go on with one that was saved",
    "/exit": "leave; so does Ctrl-D",
    "//TEXT": "a message that begins with a slash",
}


class ChatCommands:
    """Runs the commands of a conversation; what they say goes to standard error.

    Parameters
    ----------
    conversation
    image
        Its model.
    """

    def __init__(self, conversation: Conversation, image: Image):
        self._conversation = conversation
        self._image = image
        self.left = False
        """True after ``/exit``."""
        self._plain: dict[str, Callable[[], None]] = {
            "/help": self._help,
            "/reset": self._reset,
            "/exit": self._exit,
        }
        self._with_file: dict[str, Callable[[Path], None]] = {
            "/save": self._save,
            "/load": self._load,
        }

    def run(self, line: str) -> None:
        """Run the command of a line.

        Raises
        ------
        TercelError
            If there is no such command, its argument is wrong, or it fails.
        """
        name, _, argument = line.partition(" ")
        argument = argument.strip()
        if name in self._plain:
            if argument:
                raise TercelError(f"{name} takes no argument, not {argument!r}")
            self._plain[name]()
        elif name in self._with_file:
            if not argument:
                raise TercelError(f"{name} needs the name of a file")
            self._with_file[name](Path(argument).expanduser())
        else:
            known = ", ".join([*self._plain, *self._with_file])
            raise TercelError(f"there is no command {name!r}; there are {known}")

    def _help(self) -> None:
        for command, effect in HELP.items():
            typer.echo(f"{command:<12} {effect}", err=True)

    def _reset(self) -> None:
        self._conversation.reset()

    def _exit(self) -> None:
        self.left = True

    def _save(self, path: Path) -> None:
        with open_output(path, inputs=[self._image.path]) as file:
            self._conversation.save(file, self._image)
        self._tell(path)

    def _load(self, path: Path) -> None:
        self._conversation.load(path, self._image)
        self._tell(path)

    def _tell(self, path: Path) -> None:
        count = len(self._conversation.messages)
        typer.echo(f"{path}: {count} messages", err=True)
