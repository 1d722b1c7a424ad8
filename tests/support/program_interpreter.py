"""An accelerator in NumPy, whose units communicate only by command queues and streams."""

from collections import deque

import numpy as np

from tercel import numerics
from tercel.image import CODES
from tercel.numerics import CacheView, Quantised
from tercel.numerics.functions import LOG2_E
from tercel.program import COMMAND_BYTES, COMMANDS

__all__ = ["Interpreter"]

UNITS = [name for name in COMMANDS if name not in ("begin", "end")]
QUEUE = 4
PATIENCE = 3
"""Rounds without a transfer that are allowed while units react to earlier transfers."""


def floats(bits):
    return np.asarray(bits, np.uint32).view(np.float32)


def bits(value):
    return int(np.float32(value).view(np.uint32))


class Stream:
    """A FIFO of ``depth`` items; with depth 0, ``put`` ends only when the item has been taken."""

    def __init__(self, log, depth=0):
        self.items, self.depth, self.log = deque(), depth, log

    def put(self, item):
        while len(self.items) > self.depth:
            yield
        self.items.append(item)
        self.log.append(None)
        while self.depth == 0 and any(item is other for other in self.items):
            yield

    def take(self):
        while not self.items:
            yield
        self.log.append(None)
        return self.items.popleft()


class Interpreter:
    """Runs one program; every unit is a generator that yields while it waits."""

    def __init__(self, memory, spec, noise):
        self.memory, self.spec, self.noise = memory, spec, noise
        self.layout = spec.layout
        self.log = []
        self.queues = {name: Stream(self.log, QUEUE - 1) for name in UNITS}
        names = "residual gate attention engine head weights scales head_scales"
        names += " engine_tape head_tape sums rotary residual_in gate_in query written dump"
        names += " row_scales head_gains head_rows"
        self.streams = {name: Stream(self.log) for name in names.split()}
        self.resting = dict.fromkeys(UNITS, False)
        self.residual = np.full((spec.nodes, spec.hidden), np.nan, np.float32)
        self.rope = np.zeros((spec.nodes, 2, spec.head_size), np.float32)

    def run(self, address, length):
        """Run a program to its end; fail if no transfer happens any more."""
        self.ended = False
        units = [self.dispatch(address, length)]
        units += [self.forever(name, getattr(self, f"run_{name}")) for name in UNITS]
        quiet = 0
        while not self.ended:
            before = len(self.log)
            for unit in units:
                next(unit, None)
            quiet = quiet + 1 if len(self.log) == before else 0
            if quiet > PATIENCE:
                busy = [name for name in UNITS if not self.idle(name)]
                raise AssertionError(f"nothing moves, but these are not idle: {busy}")

    def idle(self, name):
        return self.resting[name] and not self.queues[name].items

    def dispatch(self, address, length):
        words = COMMAND_BYTES // self.layout.word_bytes * length
        program = self.memory.read(address, words).reshape(length, COMMAND_BYTES)
        by_number = {command.number: command for command in COMMANDS.values()}
        for index, data in enumerate(program):
            command = by_number[int(data[0])]
            assert not data[1:4].any()
            values = command.decode(data.tobytes())
            assert (command.name == "begin") == (index == 0)
            assert (command.name == "end") == (index == length - 1)
            if command.name == "begin":
                assert values == {"caps": self.spec.caps, "shape": self.spec.shape}
            elif command.name == "end":
                while not all(self.idle(name) for name in UNITS):
                    yield
                assert not any(stream.items for stream in self.streams.values())
                self.ended = True
            else:
                yield from self.queues[command.name].put(values)

    def forever(self, name, unit):
        while True:
            self.resting[name] = True
            command = yield from self.queues[name].take()
            self.resting[name] = False
            yield from unit(**command)

    def loaded(self):
        """Wait until the row loader is idle."""
        while not self.idle("rows"):
            yield

    def words(self, address, count):
        return np.ascontiguousarray(self.memory.read(address, count)).reshape(-1)

    def patch(self, word, offset, data):
        """Write bytes at a byte offset from a word."""
        first, rest = divmod(offset, self.layout.word_bytes)
        count = self.layout.words(rest + len(data))
        content = self.memory.read(word + first, count)
        content.reshape(-1)[rest : rest + len(data)] = data
        self.memory.write(word + first, content)

    def lines(self, word, lines):
        """Write result lines of whole granules, with noise in lanes without a node."""
        padded = self.noise.integers(0, 256, (len(lines), self.spec.line_bytes), np.uint8)
        data = np.ascontiguousarray(lines, np.uint32).view(np.uint8).reshape(len(lines), -1)
        padded[:, : data.shape[1]] = data
        self.patch(word, 0, padded.reshape(-1))

    def run_rows(self, kind, lane, elements, words, address, scale_address, scale_index):
        yield
        if kind == 3:
            assert words == 0
            self.residual[:, :elements] = 0
            return
        if kind == 0:
            data = np.concatenate([self.words(address + 16 * index, 1) for index in range(words)])
            scale = self.words(scale_address, 1).view(np.float32)[scale_index]
            row = data.view(np.int8)[:elements].astype(np.float32)
            self.residual[lane, :elements] = numerics.multiply(row, scale)
        elif kind == 1:
            data = self.words(address, words)
            self.residual[lane, :elements] = data.view(np.float32)[:elements]
        else:
            data = self.words(address, words)
            pairs = data.view(np.float32)[:elements].reshape(2, -1)
            self.rope[lane, :, : elements // 2] = pairs

    def run_residual(self, operation, target, width):
        yield from self.loaded()
        if operation == 0:
            row = yield from self.streams["residual_in"].take()
            assert row.shape[1] == width
            self.residual[:, :width] = numerics.add(self.residual[:, :width], row)
        row = self.residual[:, :width].copy()
        assert np.isfinite(row).all()
        yield from self.streams["dump" if target else "residual"].put(row)

    def run_norm(
        self,
        source,
        target,
        normed,
        width,
        inverse_width,
        epsilon,
        address,
        words,
        blocks,
        scale_target,
        head_gains,
        both,
    ):
        vector = self.words(address, words).view(np.float32)
        if target == 0:
            yield from self.streams["weights"].put(vector[:16])
        row = yield from self.streams[("residual", "gate", "attention")[source]].take()
        assert row.shape[1] == width
        gains, ends = vector[16 : 16 + width], 16 + width * normed
        if normed:
            assert inverse_width == bits(1 / width)
            quantise = numerics.norm_block_quantise if blocks else numerics.norm_quantise
            x = quantise(row, gains, floats(epsilon))
        else:
            x = numerics.block_quantise(row) if blocks else numerics.quantise(row)
        if head_gains:
            gains = vector[ends : ends + head_gains].reshape(2, -1)
            yield from self.streams["head_gains"].put(gains)
        assert not (both and target)
        yield from self.streams["head" if target else "engine"].put(x)
        if both:
            yield from self.streams["head"].put(x)
        yield from self.streams["head_scales" if scale_target else "scales"].put(x.scale)

    def run_tape(self, target, address, words):
        data = self.words(address, words)
        yield from self.streams["head_tape" if target else "engine_tape"].put(data)

    def run_engine(
        self,
        rows,
        chunks,
        codes,
        bytes,
        row_chunks,
        groups,
        blocks,
        grouped,
        row_scales,
        last_codes,
        last_bytes,
    ):
        code, block_rows = CODES[self.layout.code], self.layout.block_rows
        assert row_chunks == rows * chunks
        assert blocks == -(-rows // block_rows)
        if not row_scales:
            assert grouped == last_codes == last_bytes == 0
            last_codes, last_bytes = codes, bytes
        assert groups == (chunks - 1) * codes + last_codes
        widths = [*[(codes, bytes)] * (chunks - 1), (last_codes, last_bytes)]
        x = yield from self.streams["engine"].take()
        tape = yield from self.streams["engine_tape"].take()
        codes_of, multipliers, scales, at = [], [], [], 0
        for first in range(0, rows, block_rows):
            count, width = min(block_rows, rows - first), self.layout.word_bytes
            if row_scales:
                assert at % width == 0
                scales.append(tape[at : at + 4 * count].view(np.float32))
                at += -(-4 * count // width) * width
            pieces = []
            for used, size in widths:
                piece = tape[at : at + count * size].reshape(count, size)
                at += count * size
                if grouped:
                    multipliers.append(self.multipliers(piece[:, used:], used // 26))
                    piece = piece[:, :used]
                pieces.append(code.unpack(piece, used))
            codes_of.append(np.concatenate(pieces, axis=1))
            if row_scales:
                at = -(-at // width) * width
        trits = code.decode(np.concatenate(codes_of)).reshape(rows, -1)
        if row_scales:
            yield from self.streams["row_scales"].put(np.concatenate(scales))
        if not grouped:
            padded = np.zeros((len(x.values), trits.shape[1]), np.int8)
            padded[:, : x.values.shape[1]] = x.values
            yield from self.streams["sums"].put(numerics.ternary_linear(trits, padded))
            return
        # Of a block of 64 columns 13 codes, of which the last trit is none.
        columns, blocks = x.values.shape[1], trits.reshape(rows, -1, 65)
        assert not blocks[..., 64].any()
        trits = blocks[..., :64].reshape(rows, -1)
        assert not trits[:, columns:].any()
        factors = self.by_row(multipliers, chunks, rows)
        sums = numerics.grouped_linear(trits[:, :columns], factors, x)
        yield from self.streams["sums"].put(sums)

    @staticmethod
    def multipliers(packed, count):
        """Multipliers ``[rows, count]`` of ten bits each, from the lowest on."""
        ends = np.unpackbits(packed, axis=1, bitorder="little")
        assert not ends[:, 10 * count :].any()
        digits = ends[:, : 10 * count].reshape(len(packed), count, 10)
        codes = digits @ (1 << np.arange(10))
        exponent, fraction = codes >> 8, codes & 255
        large = (256 + fraction) << np.maximum(exponent - 1, 0)
        return np.where(exponent == 0, fraction, large).astype(np.uint16)

    @staticmethod
    def by_row(multipliers, chunks, rows):
        """Join those of each block and chunk to ``[rows, groups]``."""
        whole = [
            np.concatenate(multipliers[first : first + chunks], axis=1)
            for first in range(0, len(multipliers), chunks)
        ]
        return np.concatenate(whole)[:rows]

    def run_dequantise(self, target, interleaved, second, third, row_scales):
        weights = yield from self.streams["weights"].take()
        rows = yield from self.streams["row_scales"].take() if row_scales else ()
        scales = yield from self.streams["scales"].take() if target != 3 else ()
        sums = yield from self.streams["sums"].take()
        if not row_scales:
            row = np.arange(sums.shape[1])
            part = row % 2 if interleaved else (row >= second) + 0 + (row >= third)
            rows = weights[part]
        else:
            assert not weights.any()
        scale = rows if target == 3 else numerics.multiply(scales[:, None], rows)
        row = numerics.dequantise(sums, scale)
        names = ("rotary", "residual_in", "gate_in", "head_rows")
        yield from self.streams[names[target]].put(row)

    def regions(self, head_size, full, half, slice_words, half_at):
        """First word, bytes per position and columns of each slice."""
        width = self.layout.word_bytes
        assert (full + half) * width >= head_size > (full - (not half)) * width
        places = [(index * slice_words, width) for index in range(full)]
        places += [(half_at, width // 2)] * half
        return [
            (word, size, slice(index * width, min(index * width + size, head_size)))
            for index, (word, size) in enumerate(places)
        ]

    def run_heads(
        self,
        query_heads,
        kv_heads,
        head_size,
        nodes,
        base,
        full,
        half,
        cache,
        slice_words,
        half_at,
        row_words,
        head_stride,
        normed,
        inverse_head_size,
        epsilon,
    ):
        yield from self.loaded()
        gains = (yield from self.streams["head_gains"].take()) if normed else None
        row = yield from self.streams["rotary"].take()
        heads = row.reshape(len(row), query_heads + 2 * kv_heads, head_size)
        queries, keys = heads[:, :query_heads], heads[:, query_heads : query_heads + kv_heads]
        factor = None
        if normed:
            assert inverse_head_size == bits(1 / head_size)
            queries, own = numerics.head_norm(queries, gains[0], floats(epsilon))
            keys, factor = numerics.head_norm(keys, gains[1], floats(epsilon))
        else:
            assert inverse_head_size == epsilon == 0
        rope = [self.rope[:, part, : head_size // 2] for part in range(2)]
        query = numerics.quantise(numerics.rotate(queries, *rope))
        if normed:
            scale = numerics.multiply(query.scale, own)
            query = Quantised(values=query.values, scale=scale)
        yield from self.streams["query"].put(query)
        keys, values = numerics.rotate(keys, *rope), heads[:, query_heads + kv_heads :]
        for head in range(kv_heads):
            block = cache + head * head_stride
            both = []
            for place, rows, own in ((0, keys, factor), (row_words, values, None)):
                mine = None if own is None else own[:nodes, head]
                quantised, scales = numerics.quantise_cache(rows[:nodes, head], mine)
                both.append(scales)
                for word, size, part in self.regions(head_size, full, half, slice_words, half_at):
                    for node, data in enumerate(quantised[:, part].view(np.uint8)):
                        self.patch(block + place + word, (base + node) * size, data)
            scales = np.stack(both, axis=1).astype("<u2").view(np.uint8).reshape(-1)
            self.patch(block + 2 * row_words, 4 * base, scales)
        yield from self.streams["written"].put(object())

    def run_attention(
        self,
        sweeps,
        sweeps_per_kv_head,
        heads,
        head_slots,
        lanes_per_head,
        head_size,
        nodes,
        base,
        factor,
        full,
        half,
        cache,
        slice_words,
        half_at,
        row_words,
        head_stride,
        ancestors,
    ):
        query = yield from self.streams["query"].take()
        yield from self.streams["written"].take()
        positions = base + nodes
        kv_heads = sweeps // sweeps_per_kv_head
        assert positions <= self.spec.positions
        assert sweeps <= self.spec.sweeps
        assert sweeps * (full + half) <= self.spec.slices
        assert lanes_per_head >= nodes
        assert head_slots * lanes_per_head <= self.spec.nodes
        assert (sweeps_per_kv_head - 1) * head_slots < heads <= sweeps_per_kv_head * head_slots
        assert query.values.shape[1:] == (kv_heads * heads, head_size)
        assert factor == bits(LOG2_E / np.sqrt(np.float32(head_size)))
        rows, scales = ([], []), []
        for head in range(kv_heads):
            block = cache + head * head_stride
            for kind in range(2):
                row = np.zeros((positions, head_size), np.int8)
                for word, size, part in self.regions(head_size, full, half, slice_words, half_at):
                    count = self.layout.words(positions * size)
                    data = self.words(block + kind * row_words + word, count)
                    data = data[: positions * size].view(np.int8).reshape(positions, size)
                    row[:, part] = data[:, : part.stop - part.start]
                rows[kind].append(row)
            data = self.words(block + 2 * row_words, self.layout.words(4 * positions))
            scales.append(data[: 4 * positions].view("<u2").reshape(positions, 2))
        scales = np.stack(scales)
        view = CacheView(
            keys=np.stack(rows[0]),
            values=np.stack(rows[1]),
            key_scales=scales[..., 0],
            value_scales=scales[..., 1],
        )
        seen = np.array(
            [[ancestors >> 16 * i + j & 1 for j in range(nodes)] for i in range(nodes)], bool
        )
        mine = Quantised(values=query.values[:nodes], scale=query.scale[:nodes])
        output = self.noise.normal(size=(self.spec.nodes, query.values[0].size))
        output = output.astype(np.float32)
        output[:nodes] = numerics.attend(mine, view, seen)
        yield from self.streams["attention"].put(output)

    def run_gate(self, activation, width):
        row = yield from self.streams["gate_in"].take()
        assert row.shape[1] == 2 * width
        act = numerics.relu2 if activation else numerics.silu
        row = numerics.multiply(act(row[:, 0::2]), row[:, 1::2])
        yield from self.streams["gate"].put(row)

    def run_head(
        self,
        rows,
        limit,
        slices,
        nodes,
        top_k,
        argmax,
        sums,
        logits,
        logits_address,
        summary_address,
        ternary,
        two_stage,
        buckets,
        address,
    ):
        x = None if ternary else (yield from self.streams["head"].take())
        scale = yield from self.streams["head_scales"].take()
        assert limit <= rows
        assert 1 <= nodes <= self.spec.nodes
        scale = scale[:nodes]
        lists = np.broadcast_to(np.arange(limit), (nodes, limit))
        if ternary or two_stage:
            row = yield from self.streams["head_rows"].take()
            assert row.shape[1] == rows
            unscaled = row[:nodes, :limit]
        if two_stage:
            assert not ternary
            assert not logits
            assert 32 <= 4 * buckets <= self.spec.shortlist
            lists = numerics.shortlist(unscaled, 4 * buckets)
            blocks = -(-limit // 16)
            words = blocks * (self.layout.words(64) + 16 * slices)
            exact = self.int8_logits(x, self.words(address, words), 16 * blocks, slices)
            unscaled = np.take_along_axis(exact[:nodes], lists, axis=1)
            assert top_k <= unscaled.shape[1]
        elif not ternary:
            tape = yield from self.streams["head_tape"].take()
            unscaled = self.int8_logits(x, tape, rows, slices)[:nodes, :limit]
        if logits:
            self.lines(logits_address, unscaled.T.copy().view(np.uint32))
        lines = [scale.view(np.uint32)]
        if argmax:
            places = numerics.argmax(unscaled)[:, None]
            lines += [
                np.take_along_axis(lists, places, 1)[:, 0],
                np.take_along_axis(unscaled, places, 1)[:, 0].view(np.uint32),
            ]
        if sums:
            found = numerics.exponential_sum(unscaled, scale)
            lines += [
                found.octave,
                found.total & np.uint64(0xFFFFFFFF),
                found.total >> np.uint64(32),
            ]
        if top_k:
            places = numerics.top_k(unscaled, min(limit, top_k))
            ids = np.take_along_axis(lists, places, 1)
            keys = np.take_along_axis(unscaled, places, 1).view(np.uint32)
            for rank in range(ids.shape[1]):
                lines += [ids[:, rank], keys[:, rank]]
        lines = np.stack([np.asarray(line).astype(np.int64) & 0xFFFFFFFF for line in lines])
        self.lines(summary_address, lines.astype(np.uint32))

    def int8_logits(self, x, tape, rows, slices):
        """Unscaled logits of blocks of 16 rows."""
        elements = x.values.shape[1]
        assert slices == self.layout.words(elements)
        assert rows % 16 == 0
        blocks = tape.view(self.layout.row_block(elements))
        assert 16 * len(blocks) == rows
        values = blocks["slices"].transpose(0, 2, 1, 3).reshape(rows, -1)[:, :elements]
        return numerics.head_logits(values, blocks["scales"].reshape(-1), x)

    def run_dump(self, address, width):
        row = yield from self.streams["dump"].take()
        assert row.shape[1] == width
        self.lines(address, row.T.copy().view(np.uint32))
