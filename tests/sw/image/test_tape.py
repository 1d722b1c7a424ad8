"""The tape of a written file against a slow reader written from docs/image.md alone."""

import json
import math
import struct

import numpy as np
import pytest

from tercel.image import TapeLayout

LAYOUTS = [
    TapeLayout(),
    TapeLayout(code="index5", tables=128),
    TapeLayout(code="index5", tables=3, ports=1, port_bytes=4, block_rows=7),
    TapeLayout(tables=2, ports=2, port_bytes=8, block_rows=10),
    TapeLayout(code="index5", tables=5, ports=3, port_bytes=16, block_rows=64),
    TapeLayout(tables=3, ports=4, port_bytes=32, block_rows=1),
]


class SlowTape:
    """Reads one byte at a time, in word order, through the ports."""

    def __init__(self, path, layout):
        self.file = path.read_bytes()
        self.layout = layout
        (length,) = struct.unpack("<Q", self.file[:8])
        self.header = json.loads(self.file[8 : 8 + length])
        self.start = 8 + length
        self.ports, self.port_size = self.header["tape"]["shape"]
        self.word = layout.ports * layout.port_bytes
        self.cursor = 0

    def byte(self, address):
        word, inside = divmod(address, self.word)
        port, lane = divmod(inside, self.layout.port_bytes)
        return self.file[self.start + port * self.port_size + word * self.layout.port_bytes + lane]

    def bytes(self, count):
        data = bytes(self.byte(self.cursor + i) for i in range(count))
        self.cursor += count
        return data

    def floats(self, count):
        return list(struct.unpack(f"<{count}f", self.bytes(4 * count)))

    def align(self):
        while self.cursor % self.word:
            assert self.bytes(1) == b"\0"

    def vector(self, scales, gain):
        assert self.floats(16) == [*scales, *[0.0] * (16 - len(scales))]
        assert self.floats(len(gain)) == list(gain)
        self.align()

    def number(self, count):
        return int.from_bytes(self.bytes(count), "little")

    def scaled_matrix(self, rows, scales, multipliers=None):
        """Blocks of row scales, padded, and row-chunks, padded; groups if there are multipliers."""
        columns = len(rows[0])
        for first in range(0, len(rows), self.layout.block_rows):
            block = range(first, min(first + self.layout.block_rows, len(rows)))
            assert self.floats(len(block)) == list(scales[block.start : block.stop])
            self.align()
            if multipliers is None:
                self.row_chunks(rows, block)
            else:
                groups = math.ceil(columns / 128)
                for start in range(0, groups, self.layout.tables // 26):
                    count = min(self.layout.tables // 26, groups - start)
                    for row in block:
                        self.groups(rows[row], multipliers[row], start, count)
            self.align()

    def groups(self, row, multipliers, start, count):
        found = []
        for _ in range(2 * count):
            half = []
            for _ in range(13):
                code = self.number(1)
                half += [code // 3**i % 3 - 1 for i in range(5)]
                assert code < 243
            assert half.pop() == 0
            found += half
        expected = list(row[128 * start : 128 * (start + count)])
        assert found == expected + [0] * (128 * count - len(expected))
        packed = self.number(math.ceil(10 * count / 8))
        for multiplier in multipliers[start : start + count]:
            exponent, fraction = packed >> 8 & 3, packed & 255
            value = (256 + fraction) << exponent - 1 if exponent else fraction
            assert value == multiplier
            packed >>= 10
        assert packed == 0

    def matrix(self, rows):
        for first in range(0, len(rows), self.layout.block_rows):
            self.row_chunks(rows, range(first, min(first + self.layout.block_rows, len(rows))))
        self.align()

    def row_chunks(self, rows, block):
        group, bits = {"index5": (3, 5), "base3": (5, 8)}[self.layout.code]
        columns = len(rows[0])
        groups = math.ceil(columns / group)
        chunks = math.ceil(groups / self.layout.tables)
        per_chunk = math.ceil(groups / chunks)
        found = {row: [] for row in block}
        for _ in range(chunks):
            for row in block:
                number = self.number(math.ceil(per_chunk * bits / 8))
                for _ in range(per_chunk):
                    code = number % 2**bits
                    number //= 2**bits
                    for _ in range(group):
                        found[row].append(code % 3 - 1)
                        code //= 3
                    assert code == 0
                assert number == 0
        for row in block:
            assert found[row][:columns] == list(rows[row])
            assert not any(found[row][columns:])

    def rows(self, values, scales):
        for first in range(0, len(values), 16):
            block = scales[first : first + 16]
            assert self.floats(16) == [*block, *[0.0] * (16 - len(block))]
            self.align()
            width = self.layout.ports * self.layout.port_bytes
            for start in range(0, values.shape[1], width):
                for row in range(first, first + 16):
                    expected = np.zeros(width, np.int8)
                    if row < len(values):
                        part = values[row, start : start + width]
                        expected[: len(part)] = part
                    assert np.array_equal(np.frombuffer(self.bytes(width), np.int8), expected)

    def rope(self, positions, head_size, base):
        for position in range(positions):
            angles = [position * base ** (-2 * i / head_size) for i in range(head_size // 2)]
            for function in (math.cos, math.sin):
                expected = [np.float32(function(angle)) for angle in angles]
                assert np.allclose(self.floats(head_size // 2), expected, rtol=2e-7, atol=0)
            self.align()


PARTS = (
    ("q k v", "attention_norm"),
    ("o", "attention_sub_norm"),
    ("gate up", "mlp_norm"),
    ("down", "mlp_sub_norm"),
)


def in_row_order(matrices, tensors):
    """Rows, scales or multipliers of a segment's tensors, in its row order."""
    if matrices == "gate up":
        return [row for pair in zip(*tensors, strict=True) for row in pair]
    return [row for tensor in tensors for row in tensor]


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.to_json())
@pytest.mark.parametrize("tied", [False, True])
def test_tape_is_as_documented(build, odd_config, tied_config, layout, tied):
    config = tied_config if tied else odd_config
    path, given = build(config, layout)
    tape = SlowTape(path, layout)
    assert tape.ports == layout.ports
    assert tape.start % 64 == 0
    for layer in range(config.layers):
        prefix = f"layers.{layer}."
        for matrices, norm in PARTS:
            names = [prefix + name for name in matrices.split()]
            tape.vector([given.scale[name] for name in names], given.gains.get(prefix + norm, []))
            tensors = [given.trits[name] for name in names]
            tape.matrix([row.tolist() for row in in_row_order(matrices, tensors)])
    tape.vector([], given.gains["norm"])
    head = "embedding" if tied else "head"
    tape.rows(given.values[head], given.row_scales[head])
    if not tied:
        tape.rows(given.values["embedding"], given.row_scales["embedding"])
    tape.rope(config.context, config.head_size, config.rope_base)
    assert tape.cursor == tape.ports * tape.port_size
    assert tape.start + tape.cursor == len(tape.file)


SCALED_LAYOUTS = [
    TapeLayout(tables=78),
    TapeLayout(tables=26, ports=1, port_bytes=4, block_rows=7),
    TapeLayout(tables=60, ports=3, port_bytes=16, block_rows=10),
]


@pytest.mark.parametrize("layout", SCALED_LAYOUTS, ids=lambda layout: layout.to_json())
def test_scaled_tape_is_as_documented(build, scaled_config, layout):
    config = scaled_config
    path, given = build(config, layout)
    tape = SlowTape(path, layout)
    assert tape.header["__metadata__"]["version"] == "3"

    def matrix(matrices, names):
        rows = in_row_order(matrices, [given.trits[name].tolist() for name in names])
        scales = in_row_order(matrices, [given.scale[name] for name in names])
        groups = None
        if config.granularity == "group":
            groups = in_row_order(matrices, [given.multipliers[name] for name in names])
        tape.scaled_matrix(rows, scales, groups)

    for layer in range(config.layers):
        prefix = f"layers.{layer}."
        for matrices, norm in PARTS:
            norms = [norm, "q_norm", "k_norm"] if matrices == "q k v" else [norm]
            gains = [given.gains.get(prefix + name, []) for name in norms]
            tape.vector([], [value for gain in gains for value in gain])
            matrix(matrices, [prefix + name for name in matrices.split()])
    tape.vector([], given.gains["norm"])

    def rows(name):
        if config.ternary_head:
            matrix("head", [name])
        else:
            tape.rows(given.values[name], given.row_scales[name])

    rows("embedding" if config.tied_head else "head")
    if config.shortlist:
        tape.scaled_matrix(given.trits["shortlist"].tolist(), given.scale["shortlist"])
    if not config.tied_head:
        rows("embedding")
    tape.rope(config.context, config.head_size, config.rope_base)
    assert tape.cursor == tape.ports * tape.port_size
    assert tape.start + tape.cursor == len(tape.file)
