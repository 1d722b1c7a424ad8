"""Layouts of the row loader's writes into other blocks' memories."""

from amaranth.lib import data

from tercel_hw.float32.primitive import FLOAT32_BITS
from tercel_hw.vector.config import VectorConfig

__all__ = ["element_layout", "table_layout"]


def element_layout(config: VectorConfig) -> data.StructLayout:
    """Return the layout of a lane's float; with ``zero``, 0.0 for all lanes at the address."""
    return data.StructLayout(
        {
            "lane": range(config.nodes),
            "address": range(config.hidden),
            "value": FLOAT32_BITS,
            "zero": 1,
        }
    )


def table_layout(config: VectorConfig) -> data.StructLayout:
    """Return the layout of a lane's cosine, or with ``sine`` its sine, for a pair of elements."""
    return data.StructLayout(
        {
            "lane": range(config.nodes),
            "index": range(config.head_size // 2),
            "sine": 1,
            "value": FLOAT32_BITS,
        }
    )
