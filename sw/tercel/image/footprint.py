"""Size of a tape and the bytes that a pass reads."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tercel.config import ModelConfig
from tercel.image.layout import ROW_BLOCK, TapeLayout
from tercel.image.segment import Segment, segments

__all__ = ["Footprint", "PassBytes", "footprint"]

ATTENTION = ("qkv", "o")
"""Segments of a layer's attention; all others belong to its MLP."""


@dataclass(frozen=True, kw_only=True)
class Footprint:
    """Bytes of a model's tape by use, padding included."""

    weights: int
    """Bytes of the layers' ternary segments, row scales and multipliers included."""
    vectors: int
    """Bytes of the weight scales of whole matrices and of the norm gains."""
    head: int
    """Bytes of the head's rows and their scales."""
    fetched: int
    """Bytes of the segments read by row: an untied embedding, and rope."""
    shortlist: int
    """Bytes of the ternary form of the head, which passes with a two-stage head read."""
    kv_per_position: int
    """KV cache bytes of one position in all layers: int8 rows, a bfloat16 scale per row and
    head."""
    bits_per_weight: float
    """Bits of the ternary segments but the shortlist per ternary weight."""

    @property
    def played(self) -> int:
        """Bytes of the tape that a full pass reads from end to end."""
        return self.weights + self.vectors + self.head

    @property
    def tape(self) -> int:
        """Bytes of the whole tape."""
        return self.played + self.fetched + self.shortlist


def footprint(config: ModelConfig, layout: TapeLayout) -> Footprint:
    """The footprint of a model's tape, from its segment table."""
    use = {"weights": 0, "vectors": 0, "head": 0, "fetched": 0, "shortlist": 0}
    ternary = 0
    for segment in segments(config, layout):
        size = segment.words * layout.word_bytes
        ternary += size if segment.ternary and segment.name != "shortlist" else 0
        if segment.name in ("head", "shortlist"):
            key = segment.name
        elif not segment.played:
            key = "fetched"
        else:
            key = "weights" if segment.ternary else "vectors"
        use[key] += size
    return Footprint(
        **use,
        kv_per_position=2 * config.layers * (config.kv_size + 2 * config.kv_heads),
        bits_per_weight=8 * ternary / config.ternary_weights,
    )


class PassBytes:
    """Bytes of the tape that a pass reads, summed by part once.

    Parameters
    ----------
    table
        The model's segments.
    layout
        Layout of the tape.
    """

    def __init__(self, table: Iterable[Segment], layout: TapeLayout):
        self._shortlist: _HeadBytes | None = None
        parts: dict[int, list[int]] = {}
        self._norm = self._node = 0
        for segment in table:
            size = segment.words * layout.word_bytes
            if segment.name.startswith("layers."):
                _, layer, name, *_ = segment.name.split(".")
                parts.setdefault(int(layer), [0, 0])[name not in ATTENTION] += size
            elif segment.name == "head.vector":
                self._norm = size
            elif segment.name == "head":
                self._head = _HeadBytes(segment, layout)
                self._node += self._head.row
            elif segment.name == "shortlist":
                self._shortlist = _HeadBytes(segment, layout)
            elif segment.name == "rope":
                self._node += layout.padded(4 * segment.columns)
        self._layers = [parts[layer] for layer in sorted(parts)]
        self._all_layers = sum(map(sum, self._layers))

    def count(
        self,
        *,
        nodes: int = 1,
        layer_mask: Sequence[tuple[bool, bool]] | None = None,
        head_rows: int | None = None,
        listed: int | None = None,
    ) -> int:
        """Bytes of one pass.

        Parameters
        ----------
        nodes
            Nodes of the pass; each reads its embedding row, the word of that row's scale and the
            rope row of its position; with a ternary head the words of each row-chunk of its
            embedding row, at most one more than fill it.
        layer_mask
            Per layer, whether its attention and its MLP are read; ``None`` reads all.
        head_rows
            Rows of the head that are read, rounded up to blocks of 16, of a ternary head to blocks
            of the layout; ``None`` reads all, 0 leaves out the final norm as well.
        listed
            In a pass with a two-stage head, the rows that it lists: those are read one by one, and
            the first ``head_rows`` rows of the shortlist, rounded up to blocks of the layout.
        """
        layers = self._all_layers
        if layer_mask is not None:
            pairs = zip(self._layers, layer_mask, strict=True)
            layers = sum(a * attention + m * mlp for (a, m), (attention, mlp) in pairs)
        norm = self._norm if head_rows != 0 else 0
        head = self._head.count(head_rows)
        if listed is not None:
            assert self._shortlist is not None
            head = self._shortlist.count(head_rows) + listed * self._head.row
        return layers + norm + head + nodes * self._node


class _HeadBytes:
    """Bytes of the head, and of one of its rows alone, or of the shortlist."""

    def __init__(self, segment: Segment, layout: TapeLayout):
        self._rows = segment.rows
        if segment.ternary:
            form = segment.form(layout)
            self._block_rows, self._bytes = layout.block_rows, form.matrix_bytes
            words = sum(layout.words(size) + 1 for size in form.row_chunks.sizes)
            self.row = (words + 1) * layout.word_bytes
            """Bytes of one row and its scale, at most."""
        else:
            size = layout.row_block(segment.columns).itemsize
            self._block_rows, self._bytes = ROW_BLOCK, lambda rows: -(-rows // ROW_BLOCK) * size
            self.row = layout.padded(segment.columns) + layout.word_bytes

    def count(self, rows: int | None) -> int:
        """Bytes of the first ``rows`` rows, rounded up to whole blocks; ``None`` is all."""
        if rows is None:
            return self._bytes(self._rows)
        return self._bytes(min(-(-rows // self._block_rows) * self._block_rows, self._rows))
