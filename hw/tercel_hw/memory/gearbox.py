"""The gearbox: words of a fixed size to row-chunks of any size."""

from dataclasses import dataclass

import numpy as np
from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from tercel_hw.checks import check_integer, check_power_of_two

__all__ = ["Gearbox", "GearboxConfig"]

WINDOW = 3
"""Words of the window: the most that a row-chunk of up to ``2 * word_bytes`` bytes spans."""
STEP_BITS = 2
"""Bits of the offset per stage of the shifter: a 4:1 multiplexer, one LUT a bit."""


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

    def __post_init__(self):
        check_power_of_two("word_bytes", self.word_bytes, 4, 1024)
        check_integer("max_bytes", self.max_bytes, 1, 2 * self.word_bytes)
        check_integer("count_width", self.count_width, 1, 40)

    @property
    def segment(self) -> data.StructLayout:
        """A segment: ``bytes`` of a row-chunk (1 to ``max_bytes``) and number of ``chunks``."""
        return data.StructLayout(
            {"bytes": range(self.max_bytes + 1), "chunks": unsigned(self.count_width)}
        )

    @property
    def chunk(self) -> data.StructLayout:
        """Layout of a row-chunk: ``data``, and ``last`` on the last one of its segment."""
        return data.StructLayout({"data": unsigned(8 * self.max_bytes), "last": unsigned(1)})

    @property
    def stages(self) -> int:
        """Stages of the barrel shifter."""
        return -(-exact_log2(self.word_bytes) // STEP_BITS)

    @property
    def latency(self) -> int:
        """Cycles from the transfer of the word that completes a row-chunk to the chunk's offer."""
        return 1 + self.stages

    def words(self, chunk_bytes: int, chunks: int) -> int:
        """Return the number of words of a segment."""
        return -(-chunk_bytes * chunks // self.word_bytes)

    def cut(self, words: np.ndarray, chunk_bytes: int, chunks: int) -> np.ndarray:
        """Golden model: the row-chunks ``[chunks, chunk_bytes]`` of a segment's words (uint8)."""
        stream_bytes = words.reshape(-1)[: chunk_bytes * chunks]
        return stream_bytes.reshape(chunks, chunk_bytes)


class Gearbox(wiring.Component):
    """Cuts the words of segments into row-chunks.

    Row-chunks lie densely; a segment starts on a word; the rest of its last word is dropped. Three
    words form a window; a row-chunk leaves when the window holds all of it, through a barrel
    shifter of ``config.stages`` stages. The whole pipeline stalls while ``o`` is not taken.

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
        enable = Signal()
        m.d.comb += enable.eq(~self.o.valid | self.o.ready)
        window, offset, cut, last = self._window(m, enable)
        self._shifter(m, enable, window, offset, cut, last)
        return m

    def _window(self, m: Module, enable: Signal) -> tuple[Signal, Signal, Signal, Signal]:
        """Add the window; return its words, and offset, issue and ``last`` of a row-chunk."""
        config, segment = self._config, self.i_segment
        word_bytes, offset_bits = config.word_bytes, exact_log2(config.word_bytes)
        word_width = 8 * word_bytes
        window = Signal(WINDOW * word_width)
        held, kept = Signal(range(WINDOW + 1)), Signal(range(WINDOW + 1))
        need, drop = Signal(2), Signal(2)
        offset, end = Signal(offset_bits), Signal(offset_bits)
        active, last, cut, taken, loaded = Signal(), Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            cut.eq(active & enable & (held >= need)),
            kept.eq(held - Mux(cut, drop, 0)),
            self.i.ready.eq(kept != WINDOW),
            taken.eq(self.i.valid & self.i.ready),
            segment.ready.eq(~active | (cut & last)),
            loaded.eq(segment.valid & segment.ready),
        ]
        m.d.sync += held.eq(kept + taken)
        words = [window.word_select(index, word_width) for index in range(WINDOW)]
        for index, word in enumerate(words):
            with m.If(taken & (kept == index)):
                m.d.sync += word.eq(self.i.payload)
            with m.Elif(cut & (drop == 1)):
                m.d.sync += word.eq(words[min(index + 1, WINDOW - 1)])
            with m.Elif(cut & (drop == 2)):
                m.d.sync += word.eq(words[WINDOW - 1])
        with m.If(cut):
            m.d.sync += [offset.eq(Mux(last, 0, end)), active.eq(~last)]
        with m.If(loaded):
            m.d.sync += active.eq(segment.payload.chunks != 0)
        self._next_chunk(m, cut, loaded, (end, need, drop, last))
        return window, offset, cut, last

    def _next_chunk(
        self, m: Module, cut: Signal, loaded: Signal, following: tuple[Signal, ...]
    ) -> None:
        """Add the registers of the next row-chunk: its end, the words it needs and releases.

        They are computed a cycle ahead because they select the window's multiplexers.
        """
        config, segment = self._config, self.i_segment.payload
        end, need, drop, last = following
        chunk_bytes = Signal(range(config.max_bytes + 1))
        chunks = Signal(config.count_width)
        next_end = Signal(range(WINDOW * config.word_bytes))
        next_last, part, whole = Signal(), Signal(), Signal(2)
        m.d.comb += [
            next_end.eq(Mux(loaded, segment.bytes, end + chunk_bytes)),
            next_last.eq(Mux(loaded, segment.chunks == 1, chunks == 2)),
            part.eq(next_end[: len(end)].any()),
            whole.eq(next_end[len(end) :]),
        ]
        with m.If(cut | loaded):
            m.d.sync += [
                end.eq(next_end),
                last.eq(next_last),
                need.eq(whole + part),
                drop.eq(whole + (part & next_last)),
                chunks.eq(Mux(loaded, segment.chunks, chunks - 1)),
            ]
        with m.If(loaded):
            m.d.sync += chunk_bytes.eq(segment.bytes)

    def _shifter(
        self,
        m: Module,
        enable: Signal,
        window: Signal,
        offset: Signal,
        valid: Signal,
        last: Signal,
    ) -> None:
        """Add the barrel shifter, coarse steps first, one stage a cycle."""
        config = self._config
        shifted, high = window, len(offset)
        for stage in range(config.stages):
            low = max(0, high - STEP_BITS)
            reach = 8 * (config.max_bytes + (1 << low) - 1)
            choices = Signal(reach, name=f"choices{stage}")
            steps = 1 << (high - low)
            with m.Switch(offset[low:high]):
                for step in range(steps):
                    start = 8 * (step << low)
                    with m.Case(step):
                        m.d.comb += choices.eq(shifted[start : start + reach])
            next_offset = Signal(max(low, 1), name=f"offset{stage}")
            next_shifted = Signal(reach, name=f"shifted{stage}")
            next_valid = Signal(name=f"valid{stage}")
            next_last = Signal(name=f"last{stage}")
            with m.If(enable):
                m.d.sync += [
                    next_offset.eq(offset[:low]),
                    next_shifted.eq(choices),
                    next_valid.eq(valid),
                    next_last.eq(last),
                ]
            shifted, offset, valid, last = next_shifted, next_offset, next_valid, next_last
            high = low
        m.d.comb += [
            self.o.payload.data.eq(shifted),
            self.o.payload.last.eq(last),
            self.o.valid.eq(valid),
        ]
