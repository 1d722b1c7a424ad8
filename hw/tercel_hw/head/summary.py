"""The summary of a head's walk."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring

from tercel_hw.head.config import HeadConfig
from tercel_hw.head.run import RUN
from tercel_hw.vector.config import command_layout

__all__ = ["Summary"]

WORD = 32
KINDS = 8
"""Of lines, see `Summary`."""


class Summary(wiring.Component):
    """A walk's results as one run of lines, 32 bits of each lane.

    The order: the nodes' scales; if ``argmax``, rows and their unscaled logits; if ``sums``,
    octaves with their sign, low and high words of totals; rows and unscaled logits of
    ``min(limit, best)`` ranks. One line a cycle as results come, and a cycle for each kind of line
    that is not asked for; ranks that are not asked for are dropped, one a cycle.

    Parameters
    ----------
    config
        The shape.

    Members
    -------
    i_command : In(stream.Signature(command_layout("head")))
        ``best`` is at most ``config.best``. Taken when the summary before has ended.
    scales : In(config.floats)
        Of the nodes; until the first line has left.
    i_best, i_total, i_rank
        What comes from `Argmax`, `ExponentialSum` and `TopK`, if the command asks for it.
    o_run : Out(stream.Signature(RUN))
        Leaves before the lines.
    o_line : Out(stream.Signature(config.floats))
    """

    i_command: stream.Interface
    scales: data.View
    i_best: stream.Interface
    i_total: stream.Interface
    i_rank: stream.Interface
    o_run: stream.Interface
    o_line: stream.Interface

    def __init__(self, config: HeadConfig):
        self._config = config
        super().__init__(
            {
                "i_command": wiring.In(stream.Signature(command_layout("head"))),
                "scales": wiring.In(config.floats),
                "i_best": wiring.In(stream.Signature(config.candidates)),
                "i_total": wiring.In(stream.Signature(config.totals)),
                "i_rank": wiring.In(stream.Signature(config.candidates)),
                "o_run": wiring.Out(stream.Signature(RUN)),
                "o_line": wiring.Out(stream.Signature(config.floats)),
            }
        )

    @property
    def config(self) -> HeadConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        command = Signal.like(self.i_command.payload)
        kind = Signal(range(KINDS))
        rank, ranks = Signal.like(command.best), Signal.like(command.best)
        walks, asked, sent, last = Signal(), Signal(), Signal(), Signal()
        argmax, sums, best = command.argmax, command.sums, ranks != 0
        kinds = Cat(Const(1, 1), argmax.replicate(2), sums.replicate(3), best.replicate(2))
        m.d.comb += [
            asked.eq(walks & kinds.bit_select(kind, 1)),
            self.o_run.payload.address.eq(command.summary_address),
            self.o_run.payload.lines.eq(1 + (argmax << 1) + sums * 3 + (ranks << 1)),
            sent.eq(self.o_line.valid & self.o_line.ready),
            last.eq((kind == KINDS - 1) & (~asked | (rank + 1 == ranks))),
        ]
        self._lines(m, kind, asked)

        with m.FSM():
            with m.State("idle"):
                m.d.comb += self.i_command.ready.eq(1)
                offered = self.i_command.payload
                with m.If(self.i_command.valid):
                    few = offered.limit < offered.best
                    m.d.sync += [
                        command.eq(offered),
                        ranks.eq(Mux(few, offered.limit, offered.best)),
                        rank.eq(0),
                        kind.eq(0),
                    ]
                    m.next = "run"
            with m.State("run"):
                m.d.comb += self.o_run.valid.eq(1)
                with m.If(self.o_run.ready):
                    m.next = "lines"
            with m.State("lines"):
                m.d.comb += walks.eq(1)
                with m.If(sent | ~asked):
                    m.d.sync += kind.eq(kind + 1)
                    with m.If(last):
                        m.next = "idle"
                        with m.If(asked & ~self.i_rank.payload.last):
                            m.next = "drop"
                    with m.Elif(kind == KINDS - 1):
                        m.d.sync += [kind.eq(kind - 1), rank.eq(rank + 1)]
            with m.State("drop"):
                m.d.comb += self.i_rank.ready.eq(1)
                with m.If(self.i_rank.valid & self.i_rank.payload.last):
                    m.next = "idle"
        return m

    def _lines(self, m: Module, kind: Signal, asked: Signal) -> None:
        """Offer the line of a kind; take a result with its last."""
        best, total, rank = self.i_best.payload, self.i_total.payload, self.i_rank.payload
        lanes = range(self._config.nodes)
        words = [[total.totals[lane].word_select(i, WORD) for lane in lanes] for i in range(2)]
        results = [
            (self.i_best, [best.rows, best["values"]]),
            (self.i_total, [total.octaves, *words]),
            (self.i_rank, [rank.rows, rank["values"]]),
        ]
        line, index = self.o_line, 0
        with m.Switch(kind):
            with m.Case(index):
                m.d.comb += [line.valid.eq(asked), line.payload.eq(self.scales)]
            for source, kinds in results:
                for number, values in enumerate(kinds, 1):
                    index += 1
                    with m.Case(index):
                        m.d.comb += line.valid.eq(asked & source.valid)
                        m.d.comb += [line.payload[lane].eq(values[lane]) for lane in lanes]
                        if number == len(kinds):
                            m.d.comb += source.ready.eq(line.valid & line.ready)
