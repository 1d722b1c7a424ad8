"""What the engine's streams and its blocks hand to each other."""

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
"""Bits of a matrix's number of rows."""


def command_layout(config: TlmmConfig) -> data.StructLayout:
    """A matrix: its rows, its chunks and the codes of a row-chunk (`TlmmConfig.chunks`)."""
    return data.StructLayout(
        {
            "rows": unsigned(ROW_BITS),
            "chunks": unsigned(bits_for(config.chunks(config.max_columns).count)),
            "codes": unsigned(bits_for(config.tables)),
        }
    )


def group_layout(config: TlmmConfig) -> data.ArrayLayout:
    """The activations of one weight code: ``[trit][node]``."""
    return data.ArrayLayout(data.ArrayLayout(signed(8), config.nodes), config.weight_code.group)


def codes_layout(config: TlmmConfig) -> data.ArrayLayout:
    """A row-chunk as it lies on the tape, code 0 in the lowest bits."""
    return data.ArrayLayout(unsigned(config.weight_code.bits), config.tables)


def sums_layout(config: TlmmConfig) -> data.StructLayout:
    """The sums of one row, one a node; ``last`` marks the last row of the matrix."""
    return data.StructLayout(
        {"sums": data.ArrayLayout(signed(config.sum_bits), config.nodes), "last": 1}
    )


def lookup_layout(config: TlmmConfig) -> data.StructLayout:
    """Where a part of a code finds its sum: an entry of its table and, if it is halved, a sign."""
    return data.StructLayout({"index": unsigned(bits_for(config.entries)), "negative": 1})


def place_layout(config: TlmmConfig) -> data.StructLayout:
    """The tables that a generator fills: a code among those of the generator, and a bank.

    ``last`` marks the last code of a chunk.
    """
    slots = -(-config.tables // config.generators)
    return data.StructLayout({"slot": unsigned(ceil_log2(slots)), "bank": 1, "last": 1})


def entry_layout(config: TlmmConfig, part: int) -> data.StructLayout:
    """One entry of the table of a part, all nodes at once."""
    width = bits_for(config.peaks[part]) + 1
    return data.StructLayout(
        {
            "valid": 1,
            "index": unsigned(bits_for(config.entries)),
            "sums": data.ArrayLayout(signed(width), config.nodes),
        }
    )


def tag_layout(config: TlmmConfig) -> data.StructLayout:
    """What travels beside a row-chunk through the pipeline.

    ``row`` within its block; ``first`` chunk of the row: the accumulator starts at zero; ``final``
    chunk: the sum is complete; ``last`` row of the matrix.
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
