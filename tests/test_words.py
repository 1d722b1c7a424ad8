"""Docstrings name their subject: none begins with a question word or with "Of"."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("bench", "hw", "quant", "sim", "sw", "tests")
RIDDLE = re.compile(r"(What|Whatever|Who|Whose|Whether|Of)\b")


def _docstrings(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of every string statement: a docstring, of an attribute too."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Expr(value=ast.Constant(value=str(text))):
                yield node.lineno, text.strip()


def _riddles(source: str) -> list[str]:
    return [f"{line}: {text}" for line, text in _docstrings(source) if RIDDLE.match(text)]


@pytest.mark.parametrize("folder", FOLDERS)
def test_docstrings_begin_with_their_subject(folder):
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files
    found = [f"{file.relative_to(ROOT)}:{x}" for file in files for x in _riddles(file.read_text())]
    assert not found, "begin with the thing that is described:\n" + "\n".join(found)


@pytest.mark.parametrize(
    "source",
    [
        '"""What a module does."""',
        'class A:\n    """Whose it is."""',
        'def f():\n    """Whether it is so."""',
        'class A:\n    size: int\n    """Of every row."""',
    ],
)
def test_riddles_are_found_in_every_kind_of_docstring(source):
    assert len(_riddles(source)) == 1


def test_other_strings_are_left_alone():
    assert not _riddles('"""Offsets, whatever their order."""\nquestion = "What is it?"')
