"""The commands of a pass program and their fields.

A program is a list of commands of 64 bytes each: the command's number in the first byte, three zero
bytes, then the fields, packed from the lowest bit without gaps. Addresses count words; floats are
bit patterns. The driver encodes by this table and the hardware decodes by it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["ABSENT", "ADDRESS_BITS", "COMMANDS", "COMMAND_BYTES", "HEADER_BITS", "Command"]

COMMAND_BYTES = 64
HEADER_BITS = 32
ABSENT = (1 << 20) - 1
"""Start row of a part that a linear does not have."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """A kind of command.

    Raises
    ------
    ValueError
        If the fields do not fit in a command.
    """

    name: str
    number: int
    fields: Mapping[str, int]
    """Name to width in bits, lowest first."""

    def __post_init__(self):
        if self.bits > 8 * COMMAND_BYTES - HEADER_BITS:
            raise ValueError(f"the fields of {self.name} take {self.bits} bits")

    @property
    def bits(self) -> int:
        """Bits of all fields."""
        return sum(self.fields.values())

    def first_bit(self, field: str) -> int:
        """Place of a field's lowest bit in the command."""
        names = list(self.fields)
        return HEADER_BITS + sum(self.fields[name] for name in names[: names.index(field)])

    def most(self, field: str) -> int:
        """Largest value of a field."""
        return (1 << self.fields[field]) - 1

    def encode(self, **values: int) -> bytes:
        """The command's bytes.

        Raises
        ------
        ValueError
            If a field is missing, unknown or out of range.
        """
        if set(values) != set(self.fields):
            wrong = ", ".join(sorted(set(values) ^ set(self.fields)))
            raise ValueError(f"command {self.name} has missing or unknown fields: {wrong}")
        packed, shift = self.number, HEADER_BITS
        for name, width in self.fields.items():
            value = int(values[name])
            if not 0 <= value < 1 << width:
                raise ValueError(f"{name} of {self.name} must fit {width} bits, but is {value}")
            packed |= value << shift
            shift += width
        return packed.to_bytes(COMMAND_BYTES, "little")

    def decode(self, data: bytes) -> dict[str, int]:
        """The fields of an encoded command."""
        packed = int.from_bytes(data, "little") >> HEADER_BITS
        values = {}
        for name, width in self.fields.items():
            values[name] = packed & ((1 << width) - 1)
            packed >>= width
        return values


ADDRESS_BITS = 32
"""Bits of a word address."""
FLOAT = 32
ROW = 20
"""Bits of a row count."""
WIDTH = 16
"""Bits of the number of elements of a row."""

CACHE = {
    "full": 4,
    "half": 1,
    "cache": ADDRESS_BITS,
    "slice_words": 16,
    "half_at": 20,
    "row_words": 20,
    "head_stride": 24,
}
"""Layout of the KV cache: slices of a row, the block of the first KV head, and strides in words."""

TABLE = {
    # Expected values of the registers `caps` and `shape`.
    "begin": {"caps": 32, "shape": 32},
    # Load a row into a lane: 0 int8 embedding with a scale, from every 16th word, 1 float32
    # embedding, 2 cosines and sines; or 3, without a read, zeros into all lanes.
    "rows": {
        "kind": 2,
        "lane": 8,
        "elements": WIDTH,
        "words": 16,
        "address": ADDRESS_BITS,
        "scale_address": ADDRESS_BITS,
        "scale_index": 8,
    },
    # The residual stream: 0 add a linear's output, 1 replay; to 0 norm or 1 dump.
    "residual": {"operation": 1, "target": 1, "width": WIDTH},
    # Normalise and quantise a row from 0 residual, 1 gate, 2 attention, for 0 engine, 1 head; if
    # `blocks`, with a shift for each block of columns. Its scales go to 0 dequantiser, 1 head; if
    # `both`, its columns go to the head, too.
    # Behind the row's gains there are `head_gains` of queries and keys.
    "norm": {
        "source": 2,
        "target": 1,
        "normed": 1,
        "width": WIDTH,
        "inverse_width": FLOAT,
        "epsilon": FLOAT,
        "address": ADDRESS_BITS,
        "words": 16,
        "blocks": 1,
        "scale_target": 1,
        "head_gains": 12,
        "both": 1,
    },
    # Read tape for 0 engine, 1 head.
    "tape": {"target": 1, "address": ADDRESS_BITS, "words": 32},
    # Multiply a ternary matrix. With `row_scales` its tape is in blocks that begin with the scales
    # of their rows; if `grouped`, with multipliers of groups, and the last row-chunk of a row has
    # `last_codes` in `last_bytes`.
    "engine": {
        "rows": ROW,
        "chunks": 8,
        "codes": 8,
        "bytes": 8,
        "row_chunks": 24,
        "groups": 16,
        "blocks": 16,
        "grouped": 1,
        "row_scales": 1,
        "last_codes": 8,
        "last_bytes": 8,
    },
    # Scale the sums, if `row_scales` by the scales of the tape, and send them to 0 rotary,
    # 1 residual, 2 gate, or, without the scales of the lanes, to 3 head.
    "dequantise": {"target": 2, "interleaved": 1, "second": ROW, "third": ROW, "row_scales": 1},
    # Rotate and quantise heads, write keys and values: full slices of a position are `slice_words`
    # words apart, half slices start at word `half_at`. If `normed`, queries and keys are normed.
    "heads": {
        "query_heads": 8,
        "kv_heads": 8,
        "head_size": WIDTH,
        "nodes": 8,
        "base": 16,
        **CACHE,
        "normed": 1,
        "inverse_head_size": FLOAT,
        "epsilon": FLOAT,
    },
    # Activation of 0 silu, 1 relu2 times up.
    "gate": {"activation": 1, "width": WIDTH},
    # Attention of `heads` query heads per KV head, at most `head_slots` per KV sweep, in lanes
    # `lanes_per_head` apart; bit `16 i + j` of ancestors: node i attends to node j.
    "attention": {
        "sweeps": 8,
        "sweeps_per_kv_head": 8,
        "heads": 8,
        "head_slots": 5,
        "lanes_per_head": 5,
        "head_size": 11,
        "nodes": 5,
        "base": 16,
        "factor": FLOAT,
        **CACHE,
        "ancestors": 256,
    },
    # Run the head on its tape, or if `ternary` on rows of the engine, and write the results wanted;
    # top_k 0 is no top-k. If `two_stage`, the engine's rows rank those of the head, which begins at
    # `address`, and the best of `buckets` are read.
    "head": {
        "rows": ROW,
        "limit": ROW,
        "slices": 12,
        "nodes": 8,
        "top_k": 8,
        "argmax": 1,
        "sums": 1,
        "logits": 1,
        "logits_address": ADDRESS_BITS,
        "summary_address": ADDRESS_BITS,
        "ternary": 1,
        "two_stage": 1,
        "buckets": 11,
        "address": ADDRESS_BITS,
    },
    # Write a residual stream to memory.
    "dump": {"address": ADDRESS_BITS, "width": WIDTH},
    # The pass ends when all units are idle.
    "end": {},
}

COMMANDS = {
    name: Command(name=name, number=number, fields=fields)
    for number, (name, fields) in enumerate(TABLE.items(), 1)
}
"""All commands by name; numbers start from 1, so that zeroed memory is no command."""
