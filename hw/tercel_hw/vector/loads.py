"""What the row loader writes into other blocks' memories."""

from amaranth.lib import data

from tercel_hw.float32.primitive import FLOAT32_BITS
from tercel_hw.vector.config import VectorConfig

__all__ = ["element_layout", "table_layout"]


def element_layout(config: VectorConfig) -> data.StructLayout:
    """A float of a lane's row; with ``zero``, 0.0 to all lanes at that address."""
    return data.StructLayout(
        {
            "lane": range(config.nodes),
            "address": range(config.hidden),
            "value": FLOAT32_BITS,
            "zero": 1,
        }
    )


def table_layout(config: VectorConfig) -> data.StructLayout:
    """The cosine, or with ``sine`` the sine, of a lane's position for a pair of elements."""
    return data.StructLayout(
        {
            "lane": range(config.nodes),
            "index": range(config.head_size // 2),
            "sine": 1,
            "value": FLOAT32_BITS,
        }
    )
