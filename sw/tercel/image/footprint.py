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
    """Bytes of the ternary segments."""
    vectors: int
    """Bytes of the weight scales and norm gains."""
    head: int
    """Bytes of the head rows and their scales."""
    fetched: int
    """Bytes of the segments read by row: an untied embedding, and rope."""
    kv_per_position: int
    """KV cache bytes of one position in all layers: int8 rows, a bfloat16 scale per row and
    head."""
    bits_per_weight: float
    """Bits of the ternary segments per ternary weight."""

    @property
    def played(self) -> int:
        """Bytes of the tape that a full pass reads from end to end."""
        return self.weights + self.vectors + self.head

    @property
    def tape(self) -> int:
        """Bytes of the whole tape."""
        return self.played + self.fetched


def footprint(config: ModelConfig, layout: TapeLayout) -> Footprint:
    """The footprint of a model's tape, from its segment table."""
    use = {"weights": 0, "vectors": 0, "head": 0, "fetched": 0}
    played = {"ternary": "weights", "vector": "vectors", "rows": "head"}
    for segment in segments(config, layout):
        key = played[segment.kind] if segment.played else "fetched"
        use[key] += segment.words * layout.word_bytes
    return Footprint(
        **use,
        kv_per_position=2 * config.layers * (config.kv_size + 2 * config.kv_heads),
        bits_per_weight=8 * use["weights"] / config.ternary_weights,
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
        parts: dict[int, list[int]] = {}
        self._norm = self._head_block = self._blocks = self._node = 0
        for segment in table:
            size = segment.words * layout.word_bytes
            if segment.name.startswith("layers."):
                _, layer, name, *_ = segment.name.split(".")
                parts.setdefault(int(layer), [0, 0])[name not in ATTENTION] += size
            elif segment.name == "head.vector":
                self._norm = size
            elif segment.name == "head":
                self._blocks = -(-segment.rows // ROW_BLOCK)
                self._head_block = size // self._blocks
                self._node += layout.padded(segment.columns) + layout.word_bytes
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
    ) -> int:
        """Bytes of one pass.

        Parameters
        ----------
        nodes
            Nodes of the pass; each reads its embedding row, the word of that row's scale and the
            rope row of its position.
        layer_mask
            Per layer, whether its attention and its MLP are read; ``None`` reads all.
        head_rows
            Rows of the head that are read, rounded up to blocks of 16; ``None`` reads all, 0
            leaves out the final norm as well.
        """
        layers = self._all_layers
        if layer_mask is not None:
            pairs = zip(self._layers, layer_mask, strict=True)
            layers = sum(a * attention + m * mlp for (a, m), (attention, mlp) in pairs)
        blocks = self._blocks if head_rows is None else -(-head_rows // ROW_BLOCK)
        norm = self._norm if head_rows != 0 else 0
        return layers + norm + blocks * self._head_block + nodes * self._node
