"""What a tape weighs: the bytes that a pass moves."""

from dataclasses import dataclass

from tercel.config import ModelConfig
from tercel.image.layout import TapeLayout
from tercel.image.segment import segments

__all__ = ["Footprint", "footprint"]


@dataclass(frozen=True, kw_only=True)
class Footprint:
    """Bytes of a model's tape by use, padding included."""

    weights: int
    """Ternary segments."""
    vectors: int
    """Weight scales and norm gains."""
    head: int
    """Head rows and their scales."""
    fetched: int
    """Segments read by row: the embedding if it is not the head's, and rope."""
    kv_per_position: int
    """KV cache of one position in all layers: int8 rows, one bfloat16 scale a row and head."""
    bits_per_weight: float
    """Bits of the ternary segments for one ternary weight."""

    @property
    def played(self) -> int:
        """Bytes of the tape that every pass reads."""
        return self.weights + self.vectors + self.head

    @property
    def tape(self) -> int:
        """Bytes of the whole tape."""
        return self.played + self.fetched

    def pass_bytes(self, position: int) -> int:
        """Bytes that a pass of one node reads with ``position`` positions in the cache."""
        return self.played + position * self.kv_per_position


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
