"""The summary of a head sweep."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring

from tercel_hw.float32.primitive import FLOAT32_BITS
from tercel_hw.head.config import OCTAVE_BITS, TOTAL_BITS, HeadConfig
from tercel_hw.head.line_run import RUN
from tercel_hw.vector.config import command_layout

__all__ = ["Summary"]

WORD = 32
SCALES, BEST_ROWS, BEST_VALUES, OCTAVES, LOW, HIGH, ROWS, VALUES = range(8)
"""Kinds of lines, in their order."""


class Summary(wiring.Component):
    """Sends a sweep's results as one run of lines, a 32-bit word of each lane.

    The order: the nodes' scales; if ``argmax``, rows of rank 0 and their unscaled logits; if
    ``sums``, signed octaves, low and high words of totals; rows and unscaled logits of
    ``min(limit, top_k)`` ranks. One word a cycle, two cycles after its ``read``, and a cycle for
    each kind of line before the last that is not requested.

    Parameters
    ----------
    config
        Parameters of the block.

    Members
    -------
    i_command : In(stream.Signature(command_layout("head")))
        ``top_k`` is at most ``config.top_k``. Taken when the previous summary has left.
    o_run : Out(stream.Signature(RUN))
        The run, sent before the words.
    o : Out(stream.Signature(config.word))
    read : Out(1)
    rank : Out(config.rank)
    scale : In(32)
        The lane's scale that was addressed when ``read`` was last high.
    entry : In(config.entry)
        The lane's top-k entry that was addressed when ``read`` was high the last time but one.
    octave : In(signed(9))
    total : In(64)
        Exponential sum of the lane of ``o``.
    """

    i_command: stream.Interface
    o_run: stream.Interface
    o: stream.Interface
    read: Signal
    rank: data.View
    scale: Signal
    entry: data.View
    octave: Signal
    total: Signal

    def __init__(self, config: HeadConfig):
        self._config = config
        super().__init__(
            {
                "i_command": wiring.In(stream.Signature(command_layout("head"))),
                "o_run": wiring.Out(stream.Signature(RUN)),
                "o": wiring.Out(stream.Signature(config.word)),
                "read": wiring.Out(1),
                "rank": wiring.Out(config.rank),
                "scale": wiring.In(FLOAT32_BITS),
                "entry": wiring.In(config.entry),
                "octave": wiring.In(signed(OCTAVE_BITS)),
                "total": wiring.In(TOTAL_BITS),
            }
        )

    @property
    def config(self) -> HeadConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        command = Signal.like(self.i_command.payload, reset_less=True)
        kind, shown = Signal(range(VALUES + 1)), Signal(range(VALUES + 1))
        ranks, ranks_left = Signal.like(command.top_k), Signal.like(command.top_k)
        rank, lane = self.rank.rank, self.rank.lane
        # The word whose entry is on its way out of the memory.
        coming_valid, coming_lane, coming_last = Signal(), Signal.like(lane), Signal()
        coming_kind, scale = Signal.like(kind), Signal(FLOAT32_BITS, reset_less=True)
        # A bit for this kind and each one after it: it is requested.
        todo = Signal(VALUES + 1)
        asked = todo[0]
        last_lane = Signal.like(lane)
        sweeps, free, issues, ends, repeats = (Signal() for _ in range(5))
        argmax, sums, top_k = command.argmax, command.sums, ranks != 0
        m.d.comb += [
            self.o_run.payload.address.eq(command.summary_address),
            self.o_run.payload.lines.eq(1 + (argmax << 1) + sums * 3 + (ranks << 1)),
            free.eq(~self.o.valid | self.o.ready),
            issues.eq(sweeps & asked & free),
            ends.eq(issues & (lane == last_lane)),
            repeats.eq((kind == VALUES) & (ranks_left != 1)),
            self.read.eq(free),
        ]
        with m.If(free):
            m.d.sync += [
                coming_valid.eq(issues),
                coming_lane.eq(lane),
                coming_last.eq(lane == last_lane),
                coming_kind.eq(kind),
                self.o.valid.eq(coming_valid),
                self.o.payload.lane.eq(coming_lane),
                self.o.payload.last.eq(coming_last),
                shown.eq(coming_kind),
                scale.eq(self.scale),
            ]
        value = self.o.payload.value
        with m.Switch(shown):
            with m.Case(SCALES):
                m.d.comb += value.eq(scale)
            with m.Case(BEST_ROWS, ROWS):
                m.d.comb += value.eq(self.entry.row)
            with m.Case(BEST_VALUES, VALUES):
                m.d.comb += value.eq(self.entry.value)
            with m.Case(OCTAVES):
                m.d.comb += value.eq(self.octave)
            with m.Case(LOW):
                m.d.comb += value.eq(self.total[:WORD])
            with m.Case(HIGH):
                m.d.comb += value.eq(self.total[WORD:])

        with m.FSM():
            with m.State("idle"):
                m.d.comb += self.i_command.ready.eq(~self.o.valid & ~coming_valid)
                offered = self.i_command.payload
                with m.If(self.i_command.valid & self.i_command.ready):
                    few = offered.limit < offered.top_k
                    m.d.sync += [
                        command.eq(offered),
                        ranks.eq(Mux(few, offered.limit, offered.top_k)),
                    ]
                    m.next = "run"
            with m.State("run"):
                m.d.comb += self.o_run.valid.eq(1)
                m.d.sync += [
                    last_lane.eq(command.nodes - 1),
                    kind.eq(SCALES),
                    rank.eq(0),
                    ranks_left.eq(ranks),
                    todo.eq(Cat(1, argmax.replicate(2), sums.replicate(3), top_k.replicate(2))),
                ]
                with m.If(self.o_run.ready):
                    m.next = "words"
            with m.State("words"):
                m.d.comb += sweeps.eq(1)
                with m.If(issues):
                    m.d.sync += lane.eq(Mux(ends, 0, lane + 1))
                with m.If(ends | ~asked):
                    m.d.sync += [
                        kind.eq(Mux(repeats, ROWS, kind + 1)),
                        todo.eq(Mux(repeats, 0b11, todo >> 1)),
                    ]
                    with m.If(kind == VALUES):
                        m.d.sync += [rank.eq(rank + 1), ranks_left.eq(ranks_left - 1)]
                with m.If(todo == 0):
                    m.next = "idle"
        return m
