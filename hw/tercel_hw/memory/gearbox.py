"""The gearbox: words of a fixed size to row-chunks of any size."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from tercel_hw.checks import check_integer, check_power_of_two
from tercel_hw.credits import Credits
from tercel_hw.float32.stages import Stages
from tercel_hw.memory.fifo import FifoConfig, StreamFifo
from tercel_hw.register_copies import RegisterCopies

__all__ = ["Gearbox", "GearboxConfig"]

RING = 4
"""Words of the ring; a row-chunk of up to ``2 * word_bytes`` bytes spans three of them."""
STEP_BITS = 2
"""Bits of the offset per stage of the shifter: a 4:1 multiplexer, one LUT a bit."""
LOADS = 256
"""Multiplexers that a copy of a bit of the offset selects."""


@dataclass(frozen=True, kw_only=True)
class GearboxConfig:
    """Parameters of a :class:`Gearbox`, and its golden model.

    Raises
    ------
    ValueError
        If a field breaks its rule.
    """

    word_bytes: int = 64
    max_bytes: int = 80
    """Bytes of the longest row-chunk."""
    count_width: int = 24
    """Width of a segment's number of row-chunks."""
    queue_chunks: int = 8
    """Row-chunks of the output queue; those that pass through the shifter are reserved in it."""

    def __post_init__(self):
        check_power_of_two("word_bytes", self.word_bytes, 4, 1024)
        check_integer("max_bytes", self.max_bytes, 1, 2 * self.word_bytes)
        check_integer("count_width", self.count_width, 1, 40)
        check_integer("queue_chunks", self.queue_chunks, self.stages + 2, 32)

    @property
    def segment(self) -> data.StructLayout:
        """A segment: ``bytes`` of a row-chunk (1 to ``max_bytes``) and number of ``chunks``.

        After one that ``continues`` the next segment begins with the next byte, not on a word. The
        ``mark`` is given to every row-chunk.
        """
        return data.StructLayout(
            {
                "bytes": range(self.max_bytes + 1),
                "chunks": unsigned(self.count_width),
                "continues": unsigned(1),
                "mark": unsigned(1),
            }
        )

    @property
    def chunk(self) -> data.StructLayout:
        """Layout of a row-chunk: ``data``, ``last`` on its segment's last one, and the ``mark``."""
        content = unsigned(8 * self.max_bytes)
        return data.StructLayout({"data": content, "last": unsigned(1), "mark": unsigned(1)})

    @property
    def stages(self) -> int:
        """Stages of the barrel shifter behind the choice of the first word."""
        return -(-exact_log2(self.word_bytes) // STEP_BITS)

    @property
    def latency(self) -> int:
        """Cycles from the transfer of the word that completes a row-chunk to the chunk's offer."""
        return 2 + self.stages

    def words_ahead(self, chunk_bytes: int) -> int:
        """Return the number of words that are taken before the engine takes a row-chunk."""
        return RING + self.queue_chunks * chunk_bytes // self.word_bytes

    def words(self, chunk_bytes: int, chunks: int) -> int:
        """Return the number of words of a segment."""
        return -(-chunk_bytes * chunks // self.word_bytes)

    def cut(self, words: np.ndarray, chunk_bytes: int, chunks: int) -> np.ndarray:
        """Golden model: the row-chunks ``[chunks, chunk_bytes]`` of a segment's words (uint8)."""
        stream_bytes = words.reshape(-1)[: chunk_bytes * chunks]
        return stream_bytes.reshape(chunks, chunk_bytes)


class Gearbox(wiring.Component):
    """Cuts the words of segments into row-chunks.

    Row-chunks lie densely; a segment starts on a word and the rest of its last word is dropped,
    unless it ``continues``. Words are written to a ring of four; a row-chunk leaves when the ring
    holds all of it, through a barrel shifter into a queue in which it has reserved its place. So
    nothing stalls in between, and ``o.ready`` leads only to the queue's counters.

    Throughput: one row-chunk a cycle up to ``word_bytes`` bytes, one word a cycle beyond, also
    from segment to segment. Latency: ``config.latency``.

    Parameters
    ----------
    config
        Parameters of the gearbox.

    Members
    -------
    i_segment : stream of ``config.segment``
        Segments to cut. A segment of no row-chunks has no words and is skipped.
    i : stream of ``8 * word_bytes`` bits
        The words of all segments, one after the other, byte 0 lowest.
    o : stream of ``config.chunk``
        Row-chunks, byte 0 lowest; bits beyond a row-chunk's bytes are undefined.
    """

    i_segment: stream.Interface
    i: stream.Interface
    o: stream.Interface

    def __init__(self, *, config: GearboxConfig):
        self._config = config
        super().__init__(
            {
                "i_segment": In(stream.Signature(config.segment)),
                "i": In(stream.Signature(unsigned(8 * config.word_bytes))),
                "o": Out(stream.Signature(config.chunk)),
            }
        )

    @property
    def config(self) -> GearboxConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, stages = self._config, Stages(m, Const(1))
        m.submodules.credits = credits = Credits(count=config.queue_chunks)
        fifo = FifoConfig(
            width=config.chunk.size,
            depth=config.queue_chunks,
            read_latency=0,
            ram_style="distributed",
        )
        m.submodules.queue = queue = StreamFifo(config=fifo)
        cut, last, mark = Signal(), Signal(), Signal()
        with m.If(self.i_segment.valid & self.i_segment.ready):
            m.d.sync += mark.eq(self.i_segment.payload.mark)
        ring, offset, firsts = self._ring(m, credits.any, cut, last)
        chunk = data.View(config.chunk, queue.i.payload)
        m.d.comb += [
            chunk.data.eq(self._shift(m, ring, offset, firsts)),
            chunk.last.eq(stages.delay(last, config.stages, "last")),
            chunk.mark.eq(stages.delay(mark, config.stages, "mark")),
            queue.i.valid.eq(stages.delay(cut, config.stages, "valid", reset=True)),
            self.o.valid.eq(queue.o.valid),
            self.o.payload.eq(queue.o.payload),
            queue.o.ready.eq(self.o.ready),
            credits.spend.eq(cut),
            credits.give.eq(self.o.valid & self.o.ready),
        ]
        return m

    def _ring(
        self, m: Module, room: Value, cut: Signal, last: Signal
    ) -> tuple[Signal, Signal, data.View]:
        """Add the ring; return its words, the next row-chunk's offset and copies of its word."""
        config = self._config
        width = 8 * config.word_bytes
        ring = Signal(RING * width, reset_less=True)
        # The word to write, by two codes: each enables one half of a word.
        held, into, number = Signal(range(RING + 1)), Signal(RING, init=1), Signal(range(RING))
        need, drop, word = Signal(2), Signal(2), Signal(range(RING))
        active, taken = Signal(), Signal()
        m.d.comb += [
            cut.eq(active & room & (held >= need)),
            self.i.ready.eq(held != RING),
            taken.eq(self.i.valid & self.i.ready),
        ]
        m.d.sync += held.eq(held - Mux(cut, drop, 0) + taken)
        with m.If(taken):
            m.d.sync += [into.eq(into.rotate_left(1)), number.eq(number + 1)]
        words = [ring[width * index : width * (index + 1)] for index in range(RING)]
        for index, stored in enumerate(words):
            with m.If(taken & into[index]):
                m.d.sync += stored[: width // 2].eq(self.i.payload[: width // 2])
            with m.If(taken & (number == index)):
                m.d.sync += stored[width // 2 :].eq(self.i.payload[width // 2 :])
        following = (word + Mux(cut, drop, 0))[: len(word)]
        copies = -(-self._reach(exact_log2(config.word_bytes)) // LOADS)
        m.submodules.firsts = firsts = RegisterCopies(width=len(word), copies=copies)
        m.d.sync += word.eq(following)
        m.d.comb += firsts.i.eq(following)
        offset = self._next_chunk(m, active, cut, last, need, drop)
        return ring, offset, firsts.o

    def _next_chunk(
        self, m: Module, active: Signal, cut: Signal, last: Signal, need: Signal, drop: Signal
    ) -> Signal:
        """Add the registers of the next row-chunk; return its offset in its first word.

        The words that it needs and releases are computed a cycle ahead. Where the one after it
        comes from is known from registers: from a new segment if it is the last one.
        """
        config, segment = self._config, self.i_segment.payload
        offset_bits = exact_log2(config.word_bytes)
        offset, end = Signal(offset_bits), Signal(offset_bits)
        chunk_bytes = Signal(range(config.max_bytes + 1))
        chunks, continues = Signal(config.count_width), Signal()
        start, next_end = Signal(offset_bits), Signal(range(RING * config.word_bytes))
        next_last, next_continues, part, whole = Signal(), Signal(), Signal(), Signal(2)
        loaded, fresh = Signal(), Signal()
        m.d.comb += [
            self.i_segment.ready.eq(~active | (cut & last)),
            loaded.eq(self.i_segment.valid & self.i_segment.ready),
            fresh.eq(~active | last),
            start.eq(Mux(active, Mux(last & ~continues, 0, end), offset)),
            next_end.eq(start + Mux(fresh, segment.bytes, chunk_bytes)),
            next_last.eq(Mux(fresh, segment.chunks == 1, chunks == 2)),
            next_continues.eq(Mux(fresh, segment.continues, continues)),
            part.eq(next_end[:offset_bits].any()),
            whole.eq(next_end[offset_bits:]),
        ]
        with m.If(cut):
            m.d.sync += [offset.eq(start), active.eq(~last)]
        with m.If(loaded):
            m.d.sync += [active.eq(segment.chunks != 0), chunk_bytes.eq(segment.bytes)]
        with m.If(cut | loaded):
            m.d.sync += [
                end.eq(next_end),
                last.eq(next_last),
                continues.eq(next_continues),
                need.eq(whole + part),
                drop.eq(whole + (part & next_last & ~next_continues)),
                chunks.eq(Mux(fresh, segment.chunks, chunks - 1)),
            ]
        return offset

    def _reach(self, low: int) -> int:
        """Return the bits behind a stage that leaves ``low`` bits of the offset to shift by."""
        return 8 * (self._config.max_bytes + (1 << low) - 1)

    def _shift(self, m: Module, ring: Signal, offset: Signal, firsts: data.View) -> Value:
        """Add the barrel shifter, coarse steps first, one stage a cycle; return its last result."""
        config, stages = self._config, Stages(m, Const(1))
        reach, width = self._reach(len(offset)), 8 * config.word_bytes
        twice = Cat(ring, ring)
        words = [twice[width * index : width * index + reach] for index in range(RING)]
        shifted = stages.delay(_select(words, firsts), 1, "first_word")
        high = len(offset)
        for stage in range(config.stages):
            low = max(0, high - STEP_BITS)
            reach = self._reach(low)
            selects = RegisterCopies(width=high - low, copies=-(-reach // LOADS))
            m.submodules[f"offset{stage}"] = selects
            m.d.comb += selects.i.eq(stages.delay(offset[low:high], stage, f"offset{stage}"))
            starts = [8 * (step << low) for step in range(1 << (high - low))]
            choices = [shifted[start : start + reach] for start in starts]
            last = stage + 1 == config.stages
            shifted = stages.delay(_select(choices, selects.o), 0 if last else 1, f"shifted{stage}")
            high = low
        return shifted


def _select(choices: Sequence[Value], selects: data.View) -> Value:
    """Return the selected one of equally wide values; each copy selects `LOADS` bits of it."""
    width = len(choices[0])
    parts = []
    for number, first in enumerate(range(0, width, LOADS)):
        bits = slice(first, min(first + LOADS, width))
        parts.append(Array([choice[bits] for choice in choices])[selects[number]])
    return Cat(parts)
