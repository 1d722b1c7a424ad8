"""The logits of rows of sums, lane by lane."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring

from tercel_hw.float32 import StreamPipeline
from tercel_hw.float32.primitive import FLOAT32_BITS
from tercel_hw.head.config import PLACES, HeadConfig
from tercel_hw.head.logit_scale import LogitScale
from tercel_hw.result_queue import ResultQueue
from tercel_hw.shallow_fifo import ShallowFifo

__all__ = ["QUEUE_ROWS", "LaneLogits"]

QUEUE_ROWS = 32
"""Rows of sums in the queue: two row blocks, because the rows of a block come together."""


class LaneLogits(wiring.Component):
    """A queue of rows of sums, then one pipeline for the logits of all lanes.

    The queue takes a row a cycle. A row below the limit leaves it in as many cycles as the sweep
    has lanes; padding from the limit on is dropped, a row a cycle. A logit is offered ``LATENCY``
    cycles after its sum was taken, and one more for each logit before it.

    With ``ternary_rows`` a sweep may take ``ternary`` rows, which are logits already, instead of
    sums; there is no queue for them.

    With ``shortlist`` a sweep may be ``listed``: then it takes rows until the last one of a list,
    and each row's sums only of the lanes that list it. A row leaves in as many cycles as the number
    of its highest lane.

    Parameters
    ----------
    config
        Parameters of the block.

    Members
    -------
    i_command : In(stream.Signature(StructLayout({"rows": ..., "limit": ..., "nodes": ...})))
        Number of rows, of rows without padding and of lanes in use: ``1 <= limit <= rows``,
        ``1 <= nodes <= config.nodes``. Taken when all rows of the previous sweep have left the
        queue. With ``ternary_rows`` also ``ternary``, with ``shortlist`` also ``listed``.
    i_sum : In(stream.Signature(config.sums))
        Sums of a row.
    i_scale : In(stream.Signature(32))
        Scale of a row, taken with its last sum.
    i_row : In(stream.Signature(config.floats))
        Logits of a row of a ternary head; only with ``ternary_rows``.
    i_listed : In(stream.Signature(config.listed))
        The rows of ``listed`` sums; only with ``shortlist``.
    o : Out(stream.Signature(config.logit))
        Logits of a row, one lane after the other.
    """

    LATENCY = LogitScale.LATENCY + ResultQueue.LATENCY + ShallowFifo.LATENCY

    i_command: stream.Interface
    i_sum: stream.Interface
    i_scale: stream.Interface
    i_row: stream.Interface
    i_listed: stream.Interface
    o: stream.Interface

    def __init__(self, config: HeadConfig):
        self._config = config
        rows, limit = range(config.played_rows + 1), range(config.rows + 1)
        sweep = {"rows": rows, "limit": limit, "nodes": range(config.nodes + 1)}
        given = {}
        if config.ternary_rows:
            sweep |= {"ternary": 1}
            given = {"i_row": wiring.In(stream.Signature(config.floats))}
        if config.shortlist:
            sweep |= {"listed": 1}
            given["i_listed"] = wiring.In(stream.Signature(config.listed))
        super().__init__(
            {
                "i_command": wiring.In(stream.Signature(data.StructLayout(sweep))),
                "i_sum": wiring.In(stream.Signature(config.sums)),
                "i_scale": wiring.In(stream.Signature(FLOAT32_BITS)),
                "o": wiring.Out(stream.Signature(config.logit)),
                **given,
            }
        )

    @property
    def config(self) -> HeadConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        m.submodules.queue = queue = ShallowFifo(config.sums, depth=QUEUE_ROWS)
        lane_scale = LogitScale(sum_bits=config.sum_bits, ternary=config.ternary_rows > 0)
        m.submodules.scale = scale = StreamPipeline(lane_scale, tag_bits=config.place.size)
        wiring.connect(m, wiring.flipped(self.i_sum), queue.i)
        place, placed = Signal(config.place), Signal(config.place)
        row, last_counting, last_row = (Signal(range(config.played_rows)) for _ in range(3))
        lane, last_lane = Signal(range(config.nodes)), Signal(range(config.nodes))
        running, counts, there, ends = (Signal() for _ in range(4))
        offered, leaves = running & queue.o.valid & self.i_scale.valid, ends
        ends_lanes, number, goes = lane == last_lane, row, scale.i.ready
        last, finished, sends = row == last_counting, row == last_row, there & counts
        steps = scale.i.valid & scale.i.ready
        if config.shortlist:
            listed, given = Signal(), self.i_listed.payload
            with m.If(self.i_command.valid & self.i_command.ready):
                m.d.sync += listed.eq(self.i_command.payload.listed)
            wanted = ~listed | given.lanes.bit_select(lane, 1)
            higher = Cat(given.lanes[each + 1 :].any() for each in range(config.nodes))
            offered &= ~listed | self.i_listed.valid
            ends_lanes = Mux(listed, ~higher.bit_select(lane, 1), ends_lanes)
            number = Mux(listed, given.row, row)
            last, finished = Mux(listed, given.last, last), Mux(listed, given.last, finished)
            goes, sends = goes | ~wanted, sends & wanted
            steps = there & counts & goes
            m.d.comb += self.i_listed.ready.eq(ends & listed)
            self._rank(m)
        if config.ternary_rows:
            ternary = Signal()
            offered, leaves = Mux(ternary, running & self.i_row.valid, offered), ends & ~ternary
            m.d.comb += [
                scale.i.payload.scaled.eq(ternary),
                scale.i.payload.u.eq(self.i_row.payload[lane]),
                self.i_row.ready.eq(ends & ternary),
            ]
            with m.If(self.i_command.valid & self.i_command.ready):
                m.d.sync += ternary.eq(self.i_command.payload.ternary)
        m.d.comb += [
            self.i_command.ready.eq(~running),
            there.eq(offered),
            ends.eq(there & (~counts | (goes & ends_lanes))),
            queue.o.ready.eq(leaves),
            self.i_scale.ready.eq(leaves),
            place.lane.eq(lane),
            place.row.eq(number),
            place.last.eq(last & ends_lanes),
            scale.i.valid.eq(sends),
            scale.i.payload.sum.eq(queue.o.payload[lane]),
            scale.i.payload.row_scale.eq(self.i_scale.payload),
            scale.i.payload.tag.eq(place),
            placed.eq(scale.o.payload.tag),
            self.o.valid.eq(scale.o.valid),
            self.o.payload.value.eq(scale.o.payload.value),
            [self.o.payload[name].eq(placed[name]) for name in config.place.members],
            scale.o.ready.eq(self.o.ready),
        ]
        with m.If(steps):
            m.d.sync += lane.eq(Mux(ends_lanes, 0, lane + 1))
        with m.If(ends):
            m.d.sync += row.eq(row + 1)
            with m.If(last):
                m.d.sync += counts.eq(0)
            with m.If(finished):
                m.d.sync += running.eq(0)
        command = self.i_command.payload
        with m.If(self.i_command.valid & self.i_command.ready):
            m.d.sync += [
                row.eq(0),
                last_counting.eq(command.limit - 1),
                last_row.eq(command.rows - 1),
                last_lane.eq(command.nodes - 1),
                running.eq(1),
                counts.eq(1),
            ]
        return m

    def _rank(self, m: Module) -> None:
        """Give each logit its number among those of its lane in this sweep, or the most."""
        config, logit = self._config, self.o.payload
        most = config.list_words * PLACES
        ranks = Signal(data.ArrayLayout(range(most + 1), config.nodes))
        m.d.comb += logit.rank.eq(ranks[logit.lane])
        with m.If(self.o.valid & self.o.ready):
            with m.If(logit.last):
                m.d.sync += ranks.eq(0)
            with m.Elif(logit.rank != most):
                m.d.sync += ranks[logit.lane].eq(logit.rank + 1)
