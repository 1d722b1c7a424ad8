"""Layouts of the engine's streams and of the signals between its blocks."""

from amaranth.hdl import signed, unsigned
from amaranth.lib import data
from amaranth.utils import bits_for, ceil_log2

from tercel.image.multiplier import MOST_MULTIPLIER, multiplier_bytes
from tercel.numerics.blocks import MOST_SHIFT
from tercel_hw.tlmm.config import TlmmConfig

__all__ = [
    "activations_layout",
    "block_layout",
    "codes_layout",
    "command_layout",
    "entry_layout",
    "group_layout",
    "lookup_layout",
    "multipliers_layout",
    "place_layout",
    "powers_layout",
    "shifts_layout",
    "sums_layout",
    "tag_layout",
    "terms_layout",
    "total_layout",
]

ROW_BITS = 20
"""Width of a matrix's number of rows."""


def command_layout(config: TlmmConfig) -> data.StructLayout:
    """Return a matrix's layout: rows, chunks and codes of a row-chunk (`TlmmConfig.command`).

    With groups also ``last_codes``, the codes of a row's last row-chunk, and ``grouped``.
    """
    modes = (False, True) if config.groups else (False,)
    widest = (config.command(1, config.max_columns, grouped=mode) for mode in modes)
    fields = {
        "rows": unsigned(ROW_BITS),
        "chunks": unsigned(bits_for(max(command["chunks"] for command in widest))),
        "codes": unsigned(bits_for(config.tables)),
    }
    if config.groups:
        fields |= {"last_codes": fields["codes"], "grouped": unsigned(1)}
    return data.StructLayout(fields)


def activations_layout(config: TlmmConfig) -> data.ArrayLayout:
    """Return the layout of the activations of one weight code: ``[trit][node]``."""
    return data.ArrayLayout(data.ArrayLayout(signed(8), config.nodes), config.weight_code.group)


def group_layout(config: TlmmConfig) -> data.ArrayLayout | data.StructLayout:
    """Return the layout of what the tables of one weight code are made from.

    The activations; with groups a structure of them (``values``) and of the ``shifts`` of their
    block, one a node.
    """
    values = activations_layout(config)
    if not config.groups:
        return values
    return data.StructLayout({"values": values, "shifts": shifts_layout(config)})


def shifts_layout(config: TlmmConfig) -> data.ArrayLayout:
    """Return the layout of the shifts of a block of activations, one a node."""
    return data.ArrayLayout(unsigned(bits_for(MOST_SHIFT)), config.nodes)


def block_layout(config: TlmmConfig) -> data.StructLayout:
    """Return the layout of the shifts of a block, and its place."""
    return data.StructLayout(
        {
            "valid": 1,
            "bank": 1,
            "block": unsigned(ceil_log2(config.blocks)),
            "shifts": shifts_layout(config),
        }
    )


def codes_layout(config: TlmmConfig) -> data.ArrayLayout:
    """Return the layout of a row-chunk on the tape, code 0 in the lowest bits.

    With groups there are bytes for as many codes and multipliers as there may be; the multipliers
    of a row-chunk of n groups begin at code ``n * CODES_A_GROUP``.
    """
    others = 8 * multiplier_bytes(config.groups) // config.weight_code.bits
    return data.ArrayLayout(unsigned(config.weight_code.bits), config.tables + others)


def terms_layout(config: TlmmConfig) -> data.ArrayLayout:
    """Return the layout of the terms of a row-chunk, ``[term][node]``."""
    term = signed(bits_for(max(config.peaks)) + 1)
    return data.ArrayLayout(data.ArrayLayout(term, config.nodes), len(config.peaks))


def total_layout(config: TlmmConfig) -> data.ArrayLayout:
    """Return the layout of the total of a row-chunk, one a node."""
    return data.ArrayLayout(signed(config.total_bits), config.nodes)


def powers_layout(config: TlmmConfig) -> data.ArrayLayout:
    """Return the layout of the powers of two of a row-chunk, ``[block][node]``."""
    power = data.ArrayLayout(unsigned(MOST_SHIFT + 1), config.nodes)
    return data.ArrayLayout(power, config.blocks)


def multipliers_layout(config: TlmmConfig) -> data.ArrayLayout:
    """Return the layout of the multipliers of a row-chunk, one a group."""
    return data.ArrayLayout(unsigned(bits_for(MOST_MULTIPLIER)), config.groups)


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
