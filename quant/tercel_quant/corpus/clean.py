"""Cleaning of paragraphs to plain prose: punctuation, spacing, rejection of other text."""

import re

__all__ = ["clean_paragraph", "paragraphs_of_lines"]

_ASCII = str.maketrans(
    {
        "\N{LEFT SINGLE QUOTATION MARK}": "'",
        "\N{RIGHT SINGLE QUOTATION MARK}": "'",
        "\N{LEFT DOUBLE QUOTATION MARK}": '"',
        "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
        "\N{EN DASH}": "-",
        "\N{EM DASH}": "--",
        "\N{HORIZONTAL ELLIPSIS}": "...",
        "\N{NO-BREAK SPACE}": " ",
        "\N{ZERO WIDTH NO-BREAK SPACE}": "",
        "\N{SOFT HYPHEN}": "",
        "\N{REPLACEMENT CHARACTER}": "",
        "_": "",
    }
)
_BRACKETED = re.compile(r"\[[^\[\]]*\]|\[[A-Z][^\]\n]*$", re.MULTILINE)
_VERSE_LABEL = re.compile(
    r"^(?:(?:Ver(?:ses?|s)?|Title)\.?\s*(?:[\d,;\-\s]|and)*\d[ .:,]*(?:\([^)]*\)\.?)?)?"
    r"[\s\-\u2022]*"
)
_DASH = re.compile(r" *-{2,} *")
_SPACE = re.compile(r"[ \t]+")
_SPACE_BEFORE = re.compile(r" +([,.;:!?])(?=\s|$|\")")
_HEADING = re.compile(
    r"^(?:(?:chapter|act|scene|volume|book|part|finis|the end)\b.{0,40}"
    r"|[ivxlc]+\.?|whole psalm\.)$",
    re.IGNORECASE,
)
_LIST_ITEM = re.compile(r"^\(?(?:\d{1,2}|[a-z]|[ivxIVX]{1,4})[.)]")
_LIST_ITEM_CHARACTERS = 200
_MINIMUM_LETTERS = 0.6


def clean_paragraph(text: str) -> str:
    """Return the paragraph as plain prose, or an empty string if it is not prose.

    Typographic quotes and dashes become ASCII; editors' brackets (``[Laughter]``), underscores
    and leading verse labels are removed. Not prose: headings, paragraphs in capitals, short
    numbered items (outlines), and paragraphs with fewer than 60 % letters (tables, references).

    Parameters
    ----------
    text : str
        One paragraph; line breaks inside it are kept (verse).

    Returns
    -------
    str
    """
    text = _BRACKETED.sub("", text.translate(_ASCII))
    text = _VERSE_LABEL.sub("", text.strip())
    text = _SPACE.sub(" ", _DASH.sub("--", text))
    text = _SPACE_BEFORE.sub(r"\1", text)
    text = "\n".join(line for line in map(str.strip, text.split("\n")) if line)
    letters = sum(character.isalpha() for character in text)
    capitals = sum(character.isupper() for character in text)
    if letters < 2 or letters < _MINIMUM_LETTERS * len(text):
        return ""
    if _HEADING.match(text) or (capitals > 0.6 * letters and letters > 3):
        return ""
    if len(text) < _LIST_ITEM_CHARACTERS and _LIST_ITEM.match(text):
        return ""
    return text


def paragraphs_of_lines(lines: list[str], *, unwrap: bool) -> list[str]:
    """Group lines into paragraphs at empty lines.

    Parameters
    ----------
    lines : list of str
    unwrap : bool
        Join the lines of a paragraph with spaces (prose) instead of line breaks (verse).

    Returns
    -------
    list of str
    """
    paragraphs: list[list[str]] = [[]]
    for line in lines:
        if line.strip():
            paragraphs[-1].append(line.strip())
        elif paragraphs[-1]:
            paragraphs.append([])
    return [(" " if unwrap else "\n").join(group) for group in paragraphs if group]
