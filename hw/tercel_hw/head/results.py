"""The results of a head sweep."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring

from tercel_hw.head.config import HeadConfig
from tercel_hw.head.exponent_scale import ExponentScale
from tercel_hw.head.exponential_sum import ExponentialSum
from tercel_hw.head.line_builder import LineBuilder
from tercel_hw.head.line_run import RUN
from tercel_hw.head.summary import Summary
from tercel_hw.head.top_k import TopK
from tercel_hw.vector.config import command_layout

__all__ = ["HeadResults"]


class HeadResults(wiring.Component):
    """Passes a sweep's logits to the blocks of the requested results; sends lines for the host.

    First, if ``logits``, there is a run with a line of unscaled logits for each row below
    ``limit``; then the run of the :class:`Summary`. One logit a cycle unless `TopK` or the lines
    stall.

    Parameters
    ----------
    config
        Parameters of the block.

    Members
    -------
    i_command : In(stream.Signature(command_layout("head")))
        ``1 <= limit <= rows``, ``1 <= nodes <= config.nodes``. Taken when the lines of the previous
        command are built.
    i : In(stream.Signature(config.logit))
        Logits of the rows below ``limit``.
    i_scales : In(stream.Signature(config.floats))
        Scales of the nodes; taken when the lines are built.
    o_run : Out(stream.Signature(RUN))
        Runs, each before its lines.
    o_line : Out(stream.Signature(config.floats))
    """

    i_command: stream.Interface
    i: stream.Interface
    i_scales: stream.Interface
    o_run: stream.Interface
    o_line: stream.Interface

    def __init__(self, config: HeadConfig):
        self._config = config
        super().__init__(
            {
                "i_command": wiring.In(stream.Signature(command_layout("head"))),
                "i": wiring.In(stream.Signature(config.logit)),
                "i_scales": wiring.In(stream.Signature(config.floats)),
                "o_run": wiring.Out(stream.Signature(RUN)),
                "o_line": wiring.Out(stream.Signature(config.floats)),
            }
        )

    @property
    def config(self) -> HeadConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        m.submodules.top_k = top_k = TopK(config)
        m.submodules.exponents = exponents = ExponentScale(config)
        m.submodules.sums = sums = ExponentialSum(config)
        m.submodules.summary = summary = Summary(config)
        m.submodules.lines = lines = LineBuilder(config)
        wiring.connect(m, lines.o, wiring.flipped(self.o_line))

        command = Signal.like(self.i_command.payload, reset_less=True)
        word = Signal(config.word)
        logit = self.i.payload
        lane, last_lane = Signal(range(config.nodes)), Signal(range(config.nodes))
        sweeps, scales, listed = Signal(), Signal(), Signal()
        m.d.comb += [
            # Argmax is the first entry of a top-k list.
            top_k.size.eq(Mux(command.top_k == 0, 1, command.top_k)),
            top_k.i.payload.eq(logit),
            top_k.read.eq(summary.read),
            top_k.rank.eq(summary.rank),
            exponents.i.payload.eq(logit),
            sums.i.valid.eq(exponents.o.valid),
            sums.i.payload.eq(exponents.o.payload),
            sums.nodes.eq(command.nodes),
            sums.lane.eq(summary.o.payload.lane),
            summary.i_command.payload.eq(command),
            summary.entry.eq(top_k.entry),
            summary.scale.eq(exponents.i_scale.payload.value),
            summary.octave.eq(sums.octave),
            summary.total.eq(sums.total),
            word.value.eq(logit.value),
            word.lane.eq(logit.lane),
            word.last.eq(logit.lane == last_lane),
            lines.i.payload.eq(Mux(sweeps, word, summary.o.payload)),
            summary.o.ready.eq(lines.i.ready),
        ]
        scale = exponents.i_scale
        m.d.sync += [scale.valid.eq(scales), scale.payload.lane.eq(lane)]
        with m.If(scales | summary.read):
            scales_lane = Mux(scales, lane, summary.rank.lane)
            m.d.sync += scale.payload.value.eq(self.i_scales.payload[scales_lane])
        # All blocks of requested results take a logit in the same cycle.
        m.d.sync += [
            listed.eq(command.argmax | command.top_k.any()),
            last_lane.eq(command.nodes - 1),
        ]
        listing, writing = ~listed | top_k.i.ready, ~command.logits | lines.i.ready
        comes = sweeps & self.i.valid
        m.d.comb += [
            self.i.ready.eq(sweeps & listing & writing),
            top_k.i.valid.eq(comes & listed & writing),
            lines.i.valid.eq((comes & command.logits & listing) | summary.o.valid),
            exponents.i.valid.eq(comes & command.sums & listing & writing),
        ]

        with m.FSM():
            with m.State("idle"):
                m.d.comb += self.i_command.ready.eq(1)
                with m.If(self.i_command.valid):
                    m.d.sync += [command.eq(self.i_command.payload), lane.eq(0)]
                    m.next = "prepare"
            with m.State("prepare"):
                # The sums are always ready from this state on until the last logit.
                with m.If(~command.sums):
                    m.next = "run"
                with m.Elif(self.i_scales.valid & sums.i.ready):
                    m.next = "scales"
            with m.State("scales"):
                m.d.comb += scales.eq(1)
                m.d.sync += lane.eq(lane + 1)
                with m.If(lane == last_lane):
                    m.next = "scaled"
            with m.State("scaled"):
                with m.If(~exponents.busy):
                    m.next = "run"
            with m.State("run"):
                m.d.comb += [
                    self.o_run.valid.eq(command.logits),
                    self.o_run.payload.address.eq(command.logits_address),
                    self.o_run.payload.lines.eq(command.limit),
                ]
                with m.If(self.o_run.ready | ~command.logits):
                    m.next = "sweep"
            with m.State("sweep"):
                m.d.comb += sweeps.eq(1)
                with m.If(self.i.valid & self.i.ready & logit.last):
                    m.next = "end"
            with m.State("end"):
                # The last logit may not have entered its list yet.
                summed = sums.valid | ~command.sums
                m.d.comb += summary.i_command.valid.eq(top_k.idle & summed & self.i_scales.valid)
                with m.If(summary.i_command.valid):
                    m.next = "summary"
            with m.State("summary"):
                m.d.comb += [
                    self.o_run.valid.eq(summary.o_run.valid),
                    self.o_run.payload.eq(summary.o_run.payload),
                    summary.o_run.ready.eq(self.o_run.ready),
                ]
                with m.If(summary.i_command.ready):
                    m.d.comb += [self.i_scales.ready.eq(1), sums.release.eq(command.sums)]
                    m.next = "idle"
        return m
