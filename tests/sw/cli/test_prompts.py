import io
import sys

import pytest

from tercel.cli.prompts import interactive_prompts, piped_prompt
from tercel.errors import TercelError


@pytest.fixture
def typed(monkeypatch):
    """Puts bytes on standard input."""

    def type_(content: bytes):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), encoding="utf-8"))

    return type_


@pytest.mark.parametrize(
    ("content", "prompt"),
    [
        (b"", ""),
        (b"a", "a"),
        (b"a\n", "a"),
        (b"a\r\n", "a"),
        (b"a\n\n", "a\n"),
        ("ä\nb \n".encode(), "ä\nb "),
    ],
)
def test_a_piped_prompt_loses_one_newline(typed, content, prompt):
    typed(content)
    assert piped_prompt() == prompt


def test_a_piped_prompt_is_utf_8(typed):
    typed(b"a\xff")
    with pytest.raises(TercelError, match="the prompt must be UTF-8"):
        piped_prompt()


def test_lines_are_prompts_until_the_end(typed, capsys):
    typed(b"first\n\n second\nlast")
    assert list(interactive_prompts()) == ["first", " second", "last"]
    found = capsys.readouterr()
    assert found.out == ""
    assert found.err == "Type the start of a text; Ctrl-D leaves.\n" + "> " * 5 + "\n"
