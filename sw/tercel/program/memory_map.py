"""The areas of the accelerator's memory."""

from dataclasses import dataclass
from functools import cached_property

from tercel.config import ModelConfig
from tercel.errors import TercelError
from tercel.image import TapeLayout, segments
from tercel.program.accelerator_spec import AcceleratorSpec
from tercel.program.command import ADDRESS_BITS, COMMAND_BYTES
from tercel.program.slices import Slices

__all__ = ["Area", "MemoryMap", "memory_map", "most_commands"]

SUMMARY_LINES = 6
"""Lines of the summary without the top-k: scales, argmax (2), sums of exponentials (3)."""


@dataclass(frozen=True, kw_only=True)
class Area:
    """A run of words."""

    first_word: int
    words: int

    @property
    def end_word(self) -> int:
        return self.first_word + self.words


@dataclass(frozen=True, kw_only=True)
class MemoryMap:
    """Consecutive areas from word 0 on; computed by :func:`memory_map`."""

    layout: TapeLayout
    line_bytes: int
    """Bytes of a line."""
    config: ModelConfig
    context: int
    """Positions of the cache."""
    tape: Area
    cache: Area
    """One block per layer and KV head: keys by :attr:`slices`, values likewise, scales."""
    rows: Area
    """Float32 rows from the host in place of token embeddings, in the order of their nodes."""
    program: Area
    summary: Area
    logits: Area
    """Unscaled logits, one line per row of the head."""
    hidden: Area
    """Residual streams, one line per element."""

    @property
    def words(self) -> int:
        """Words of all areas."""
        return self.hidden.end_word

    @cached_property
    def slices(self) -> Slices:
        """The slices of a key or value."""
        return Slices(word_bytes=self.layout.word_bytes, elements=self.config.head_size)

    @cached_property
    def cache_row_words(self) -> int:
        """Words of all keys, or of all values, of a KV head."""
        return self.slices.words(self.context)

    @cached_property
    def head_stride(self) -> int:
        """Words of a cache block, which is the distance of neighbouring KV heads."""
        return 2 * self.cache_row_words + self.layout.words(4 * self.context)

    @cached_property
    def given_row_words(self) -> int:
        """Words of a row of the area ``rows``."""
        return self.layout.words(4 * self.config.hidden_size)

    def block(self, layer: int, head: int = 0) -> int:
        """First word of a cache block."""
        return self.cache.first_word + (layer * self.config.kv_heads + head) * self.head_stride


def most_commands(config: ModelConfig, spec: AcceleratorSpec) -> int:
    """Commands of the longest program: 11 per attention, 10 per MLP, 2 per node, 8 others and 2 of
    a ternary head or of a shortlist."""
    ternary = config.ternary_head or config.shortlist > 0
    return 21 * config.layers + 2 * spec.nodes + 8 + 2 * ternary


def memory_map(*, config: ModelConfig, spec: AcceleratorSpec, context: int) -> MemoryMap:
    """Compute the memory map of a model on an accelerator.

    Parameters
    ----------
    context
        Positions of the cache.

    Raises
    ------
    TercelError
        If ``context`` exceeds the model's or the accelerator's, or the memory exceeds the
        accelerator's address space.
    """
    most = min(config.context, spec.positions)
    if not 1 <= context <= most:
        raise TercelError(
            f"context must be in 1..{most}, the model's and the accelerator's, not {context}"
        )
    layout = spec.layout
    scales = layout.words(4 * context)
    slices = Slices(word_bytes=layout.word_bytes, elements=config.head_size)
    block = 2 * slices.words(context) + scales
    sizes = {
        "tape": segments(config, layout)[-1].end_word,
        "cache": config.layers * config.kv_heads * block,
        "rows": spec.nodes * layout.words(4 * config.hidden_size),
        "program": layout.words(COMMAND_BYTES * most_commands(config, spec)),
        "summary": layout.words((SUMMARY_LINES + 2 * spec.top_k) * spec.line_bytes),
        "logits": layout.words(config.vocab_size * spec.line_bytes),
        "hidden": layout.words(config.hidden_size * spec.line_bytes),
    }
    areas, first = {}, 0
    for name, words in sizes.items():
        areas[name] = Area(first_word=first, words=words)
        first += words
    most_words = min(1 << ADDRESS_BITS, (1 << spec.address_width) // layout.port_bytes)
    if first > most_words:
        raise TercelError(
            f"the model needs {first} words of memory, but the accelerator addresses {most_words}; "
            "open it with a shorter context or build one with more address bits"
        )
    return MemoryMap(
        layout=layout, line_bytes=spec.line_bytes, config=config, context=context, **areas
    )
