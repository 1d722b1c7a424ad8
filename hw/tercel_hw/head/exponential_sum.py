"""The sum of the exponentials of each lane's logits."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, memory, stream, wiring

from tercel.numerics.head import WINDOW
from tercel_hw.head.config import OCTAVE_BITS, TOTAL_BITS, HeadConfig
from tercel_hw.head.octave_histogram import BINS, OctaveHistogram, octave_of

__all__ = ["ExponentialSum"]


class ExponentialSum(wiring.Component):
    """``numerics.exponential_sum`` from base-2 logits: histograms, then a window of 29 octaves.

    One logit a cycle. After the last, the lanes' bins are summed and cleared one after the other:
    the results are valid ``1 + LANE_CYCLES * nodes`` cycles after it was taken. A reset clears all
    lanes in the same way.

    Parameters
    ----------
    config
        Parameters of the block.

    Members
    -------
    nodes : In(range(config.nodes + 1))
        Lanes of the sweep.
    i : In(stream.Signature(config.exponent))
    valid : Out(1)
        The results are valid.
    release : In(1)
        The results are no longer needed: the next sweep may begin.
    lane : In(range(config.nodes))
    octave : Out(signed(9))
    total : Out(64)
        Result of the lane, while ``valid``: the sum is ``total * 2^(octave - 43)``.
    """

    LANE_CYCLES = BINS + OctaveHistogram.LATENCY + 1

    nodes: Signal
    i: stream.Interface
    valid: Signal
    release: Signal
    lane: Signal
    octave: Signal
    total: Signal

    def __init__(self, config: HeadConfig):
        self._config = config
        super().__init__(
            {
                "nodes": wiring.In(range(config.nodes + 1)),
                "i": wiring.In(stream.Signature(config.exponent)),
                "valid": wiring.Out(1),
                "release": wiring.In(1),
                "lane": wiring.In(range(config.nodes)),
                "octave": wiring.Out(signed(OCTAVE_BITS)),
                "total": wiring.Out(TOTAL_BITS),
            }
        )

    @property
    def config(self) -> HeadConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        nodes = self._config.nodes
        m.submodules.histogram = histogram = OctaveHistogram(self._config)
        attrs = {"ram_style": "distributed"}
        m.submodules.highest = highest = memory.Memory(
            shape=unsigned(OCTAVE_BITS), depth=nodes, init=[], attrs=attrs
        )
        sums = data.StructLayout({"octave": OCTAVE_BITS, "total": TOTAL_BITS})
        m.submodules.sums = results = memory.Memory(shape=sums, depth=nodes, init=[], attrs=attrs)
        raised, high = highest.write_port(), highest.read_port(domain="comb")
        summed, result = results.write_port(), results.read_port(domain="comb")

        lane, last_lane = Signal(range(nodes)), Signal(range(nodes), init=nodes - 1)
        step = Signal(range(self.LANE_CYCLES))
        octave = Signal(OCTAVE_BITS, reset_less=True)
        total = Signal(TOTAL_BITS, reset_less=True)
        adds, ends, swept = Signal(), Signal(), Signal()
        offered = octave_of(self.i.payload.value)
        m.d.comb += [
            histogram.t.eq(self.i.payload.value),
            histogram.octave.eq(octave),
            histogram.lane.eq(Mux(adds, self.i.payload.lane, lane)),
            high.addr.eq(histogram.lane),
            raised.addr.eq(histogram.lane),
            raised.data.eq(Mux(adds, offered, 0)),
            raised.en.eq(ends | (histogram.add & (offered > high.data))),
            summed.addr.eq(lane),
            summed.data.octave.eq(high.data),
            summed.data.total.eq(total),
            summed.en.eq(ends),
            result.addr.eq(self.lane),
            self.octave.eq(Cat(result.data.octave[:-1], ~result.data.octave[-1])),
            self.total.eq(result.data.total),
        ]
        # The last bins are only cleared. Octaves wrap around: below the lowest are empty ones.
        first = 1 + OctaveHistogram.LATENCY
        with m.If(step < first):
            m.d.sync += total.eq(0)
        with m.Elif(step < WINDOW + 1 + first):
            m.d.sync += total.eq((total << 1) + histogram.bin)
        m.d.sync += octave.eq(Mux(step == 0, high.data, octave - 1))

        with m.FSM(init="sum"):
            with m.State("add"):
                m.d.comb += [adds.eq(1), self.i.ready.eq(1), histogram.add.eq(self.i.valid)]
                m.d.sync += [lane.eq(0), last_lane.eq(self.nodes - 1)]
                with m.If(self.i.valid & self.i.payload.last):
                    m.d.sync += swept.eq(1)
                    m.next = "sum"
            with m.State("sum"):
                m.d.comb += [
                    histogram.take.eq((step != 0) & ~ends),
                    ends.eq(step == self.LANE_CYCLES - 1),
                ]
                m.d.sync += step.eq(Mux(ends, 0, step + 1))
                with m.If(ends):
                    m.d.sync += lane.eq(lane + 1)
                    with m.If(lane == last_lane):
                        m.next = "offer"
            with m.State("offer"):
                m.d.comb += self.valid.eq(swept)
                with m.If(self.release | ~swept):
                    m.next = "add"
        return m
