"""Layouts of the engine's streams and of the signals between its blocks."""

from amaranth.hdl import signed, unsigned
from amaranth.lib import data
from amaranth.utils import bits_for, ceil_log2

from tercel_hw.tlmm.config import TlmmConfig

__all__ = [
    "codes_layout",
    "command_layout",
    "entry_layout",
    "group_layout",
    "lookup_layout",
    "place_layout",
    "sums_layout",
    "tag_layout",
]

ROW_BITS = 20
"""Width of a matrix's number of rows."""


def command_layout(config: TlmmConfig) -> data.StructLayout:
    """Return a matrix's layout: rows, chunks and codes of a row-chunk (`TlmmConfig.chunks`)."""
    return data.StructLayout(
        {
            "rows": unsigned(ROW_BITS),
            "chunks": unsigned(bits_for(config.chunks(config.max_columns).count)),
            "codes": unsigned(bits_for(config.tables)),
        }
    )


def group_layout(config: TlmmConfig) -> data.ArrayLayout:
    """Return the layout of the activations of one weight code: ``[trit][node]``."""
    return data.ArrayLayout(data.ArrayLayout(signed(8), config.nodes), config.weight_code.group)


def codes_layout(config: TlmmConfig) -> data.ArrayLayout:
    """Return the layout of a row-chunk on the tape, code 0 in the lowest bits."""
    return data.ArrayLayout(unsigned(config.weight_code.bits), config.tables)


def sums_layout(config: TlmmConfig) -> data.StructLayout:
    """Return the layout of a row's sums, one a node; ``last`` marks the matrix's last row."""
    return data.StructLayout(
        {"sums": data.ArrayLayout(signed(config.sum_bits), config.nodes), "last": 1}
    )


def lookup_layout(config: TlmmConfig) -> data.StructLayout:
    """Return the layout of a part's lookup: an entry and, for a halved table, a sign."""
    return data.StructLayout({"index": unsigned(bits_for(config.entries)), "negative": 1})


def place_layout(config: TlmmConfig) -> data.StructLayout:
    """Return the layout of a generator's place: a code among its own, and a bank.

    ``last`` marks the last code of a chunk.
    """
    slots = -(-config.tables // config.generators)
    return data.StructLayout({"slot": unsigned(ceil_log2(slots)), "bank": 1, "last": 1})


def entry_layout(config: TlmmConfig, part: int) -> data.StructLayout:
    """Return the layout of an entry of a part's table, with all nodes."""
    width = bits_for(config.peaks[part]) + 1
    return data.StructLayout(
        {
            "valid": 1,
            "index": unsigned(bits_for(config.entries)),
            "sums": data.ArrayLayout(signed(width), config.nodes),
        }
    )


def tag_layout(config: TlmmConfig) -> data.StructLayout:
    """Return the layout of the tag that accompanies a row-chunk through the pipeline.

    ``row`` counts within the block; ``first`` marks the row's first chunk, at which the accumulator
    starts from zero; ``final`` its last chunk, which completes the sum; ``last`` the matrix's last
    row.
    """
    return data.StructLayout(
        {
            "valid": 1,
            "row": unsigned(ceil_log2(config.block_rows)),
            "first": 1,
            "final": 1,
            "last": 1,
        }
    )
