import io
import sys

import pytest

from tercel.cli.prompts import conversation_lines, interactive_prompts, piped_prompt
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


def test_a_conversation_reads_a_pipe_line_by_line(typed, capsys):
    typed(b"one\r\n\n two\nlast")
    assert list(conversation_lines(interactive=False)) == ["one", " two", "last"]
    assert capsys.readouterr().err == ""
    typed(b"one\n\xff\n")
    lines = conversation_lines(interactive=False)
    assert next(lines) == "one"
    with pytest.raises(TercelError, match="the prompt must be UTF-8"):
        next(lines)


def test_ctrl_c_at_the_mark_begins_a_new_line(monkeypatch, capsys):
    answers = iter([b"one\n", KeyboardInterrupt, b"\xff\n", b"two\n", b""])

    class Terminal:
        @staticmethod
        def readline():
            answer = next(answers)
            if answer is KeyboardInterrupt:
                raise KeyboardInterrupt
            return answer

    class Stdin:
        buffer = Terminal

    monkeypatch.setattr(sys, "stdin", Stdin)
    assert list(conversation_lines(interactive=True)) == ["one", "two"]
    errors = capsys.readouterr().err
    assert "Ctrl-D or /exit leaves." in errors
    assert "error: the prompt must be UTF-8" in errors
