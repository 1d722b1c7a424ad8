"""Prompts and messages from standard input."""

import sys
from collections.abc import Iterator

from tercel.errors import TercelError

__all__ = ["conversation_lines", "interactive_prompts", "piped_prompt"]


def piped_prompt() -> str:
    """Standard input as a whole, without one final newline.

    Raises
    ------
    TercelError
        If the input is not UTF-8.
    """
    return _decode(sys.stdin.buffer.read()).removesuffix("\n").removesuffix("\r")


def interactive_prompts() -> Iterator[str]:
    """Lines typed at a terminal until end of file (Ctrl-D); empty lines are skipped.

    A line that is not UTF-8 is reported and skipped.
    """
    print("Type the start of a text; Ctrl-D leaves.", file=sys.stderr)
    yield from _typed_lines()


def conversation_lines(*, interactive: bool) -> Iterator[str]:
    """Lines of standard input until its end; empty lines are skipped.

    Parameters
    ----------
    interactive
        Standard input is a terminal: as :func:`interactive_prompts`, and Ctrl-C begins a new line.

    Raises
    ------
    TercelError
        If a line of a pipe is not UTF-8.
    """
    if interactive:
        print("Type a message; /help lists commands, Ctrl-D leaves.", file=sys.stderr)
        while True:
            try:
                yield from _typed_lines()
                return
            except KeyboardInterrupt:
                print("\nCtrl-D or /exit leaves.", file=sys.stderr)
    while line := sys.stdin.buffer.readline():
        if text := _text(line):
            yield text


def _typed_lines() -> Iterator[str]:
    while True:
        print("> ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.buffer.readline()
        if not line:
            print(file=sys.stderr)
            return
        try:
            text = _text(line)
        except TercelError as error:
            print(f"error: {error}", file=sys.stderr)
            continue
        if text:
            yield text


def _text(line: bytes) -> str:
    return _decode(line.removesuffix(b"\n").removesuffix(b"\r"))


def _decode(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise TercelError(f"the prompt must be UTF-8: {error}") from None
