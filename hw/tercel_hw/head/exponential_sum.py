"""The sum of the logits' exponentials of each lane."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring

from tercel.numerics.functions import EXP2_FRACTION_BITS
from tercel.numerics.head import WINDOW
from tercel_hw.head.config import TOTAL_BITS, HeadConfig
from tercel_hw.head.octave_histogram import OCTAVE_BITS, OctaveHistogram

__all__ = ["ExponentialSum"]

BINS = 1 << OCTAVE_BITS


class ExponentialSum(wiring.Component):
    """``numerics.exponential_sum`` from base-2 logits: a histogram, then a window of 29 octaves.

    One row a cycle. After the last row the result takes ``LATENCY`` cycles; once it is taken, the
    histogram is cleared in ``CLEAR_CYCLES``, as it is after reset, and then the next walk begins.

    Parameters
    ----------
    config
        The shape.

    Members
    -------
    i : In(stream.Signature(StructLayout({"exponents": config.exponents, "last": 1})))
        Signed, 9 fraction bits.
    o : Out(stream.Signature(config.totals))
    """

    LATENCY = WINDOW + 4
    CLEAR_CYCLES = BINS

    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: HeadConfig):
        self._config = config
        walk = data.StructLayout({"exponents": config.exponents, "last": 1})
        super().__init__(
            {
                "i": wiring.In(stream.Signature(walk)),
                "o": wiring.Out(stream.Signature(config.totals)),
            }
        )

    @property
    def config(self) -> HeadConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        taken, first, clear, adds, restart = (Signal() for _ in range(5))
        place = Signal(range(BINS))
        depth = Signal(range(WINDOW + 2))
        m.d.comb += taken.eq(self.i.valid & self.i.ready)

        with m.FSM(init="clear"):
            with m.State("clear"):
                m.d.comb += clear.eq(1)
                m.d.sync += place.eq(place + 1)
                with m.If(place == BINS - 1):
                    m.d.sync += first.eq(1)
                    m.next = "add"
            with m.State("add"):
                m.d.comb += self.i.ready.eq(1)
                with m.If(taken):
                    m.d.sync += first.eq(0)
                    with m.If(self.i.payload.last):
                        m.next = "settle"
            with m.State("settle"):
                # The last bin is written in this cycle.
                m.d.comb += restart.eq(1)
                m.d.sync += depth.eq(0)
                m.next = "sum"
            with m.State("sum"):
                m.d.comb += adds.eq(depth != 0)
                m.d.sync += depth.eq(depth + 1)
                with m.If(depth == WINDOW + 1):
                    m.next = "offer"
            with m.State("offer"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    m.next = "clear"

        for lane in range(self._config.nodes):
            m.submodules[f"histogram{lane}"] = histogram = OctaveHistogram()
            t = self.i.payload.exponents[lane]
            octave = t[EXP2_FRACTION_BITS:].as_signed()
            highest = Signal(signed(OCTAVE_BITS), name=f"highest{lane}")
            bin_octave = Signal(signed(OCTAVE_BITS), name=f"octave{lane}")
            total = Signal(TOTAL_BITS, name=f"total{lane}")
            with m.If(taken & (first | (octave > highest))):
                m.d.sync += highest.eq(octave)
            m.d.comb += [
                histogram.valid.eq(taken),
                histogram.t.eq(t),
                histogram.clear.eq(clear),
                # Below the lowest octave this wraps to one above the highest, which is empty.
                bin_octave.eq(highest - depth),
                histogram.octave.eq(Mux(clear, place, bin_octave)),
                self.o.payload.octaves[lane].eq(highest),
                self.o.payload.totals[lane].eq(total),
            ]
            with m.If(restart):
                m.d.sync += total.eq(0)
            with m.Elif(adds):
                m.d.sync += total.eq((total << 1) + histogram.bin)
        return m
