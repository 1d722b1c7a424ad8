"""Conversion of the OSIS markup of SWORD modules to plain paragraphs, one document per chapter."""

import html
import re
from collections.abc import Iterable, Iterator

__all__ = ["chapters"]

_CHAPTER = re.compile(r"<chapter\b[^>]*\bsID=[^>]*>")
_DROPPED = re.compile(r"<(note|title|table|figure)\b[^>]*(?<!/)>.*?</\1>", re.DOTALL)
_PARAGRAPH = re.compile(
    r"<(?:div|p|lg|list|item)\b[^>]*>|</(?:div|p|lg|list|item)>|<lb\b[^>]*/>", re.DOTALL
)
_LINE = re.compile(r"<l\b[^>]*>|</l>")
_TAG = re.compile(r"<[^>]*>")
_SPACE = re.compile(r"\s+")
_MILESTONE_DIV = re.compile(r'<div\b[^>]*type="x-milestone"[^>]*>')


def chapters(entries: Iterable[str]) -> Iterator[list[str]]:
    """Group entries by chapter and strip their markup.

    Notes, headings and tables are dropped and lines of verse are joined. A paragraph may span
    several entries, such as the verses of a Bible.

    Parameters
    ----------
    entries : iterable of str
        Marked-up entries in reading order.

    Yields
    ------
    list of str
        The paragraphs of one chapter, of one preface or of one introduction.
    """
    pending: list[str] = []
    for entry in entries:
        before, *after = _CHAPTER.split(entry)
        pending.append(before)
        for part in after:
            yield from _finish(pending)
            pending = [part]
    yield from _finish(pending)


def _finish(parts: list[str]) -> Iterator[list[str]]:
    marked = _MILESTONE_DIV.sub("", _DROPPED.sub(" ", " ".join(parts)))
    marked = _LINE.sub(" ", _PARAGRAPH.sub("\n", marked).replace("\N{PILCROW SIGN}", "\n"))
    plain = html.unescape(_TAG.sub("", marked))
    paragraphs = [_SPACE.sub(" ", line).strip() for line in plain.split("\n")]
    kept = [paragraph for paragraph in paragraphs if paragraph]
    if kept:
        yield kept
