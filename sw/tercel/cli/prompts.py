"""Where the prompts of ``tercel run`` come from."""

import sys
from collections.abc import Iterator

from tercel.errors import TercelError

__all__ = ["interactive_prompts", "piped_prompt"]


def piped_prompt() -> str:
    """All of standard input, but for one newline at the end.

    Raises
    ------
    TercelError
        If it is not UTF-8.
    """
    try:
        text = sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as error:
        raise TercelError(f"the prompt on standard input must be UTF-8: {error}") from None
    return text.removesuffix("\n").removesuffix("\r")


def interactive_prompts() -> Iterator[str]:
    """Lines typed at a terminal, until its end (Ctrl-D); empty ones are passed over."""
    print("Type the start of a text; Ctrl-D leaves.", file=sys.stderr)
    while True:
        print("> ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            print(file=sys.stderr)
            return
        if text := line.removesuffix("\n"):
            yield text
