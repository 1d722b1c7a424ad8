"""The addition of each lane's terms whose indices differ in one bit, with a single adder."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, memory, wiring

from tercel_hw.float32.adder import Adder
from tercel_hw.float32.lane_pair_sum import lane_term
from tercel_hw.float32.primitive import FLOAT32_BITS, attach
from tercel_hw.float32.row import check_lanes
from tercel_hw.float32.stages import Stages

__all__ = ["INDEX_BITS", "LanePartnerSum"]

INDEX_BITS = 4
"""Bits of a term's index in its row."""


class LanePartnerSum(wiring.Component):
    """Adds each term of a lane to its partner, or passes it where there is none; latency 9.

    Partners differ in one bit of the index. The first one, in either order, waits in a memory.
    Terms are not negative. There is no flow control: terms of an index come one lane after the
    other in successive cycles, all those of a row before those of the next row.

    Parameters
    ----------
    lanes
        Number of lanes, 1 to 16.
    bits
        Bits of the index in which a row's terms may differ; partners differ in the first of them.

    Members
    -------
    count : In(5)
        Number of a row's terms before any were added: a term whose partner's index is not below it
        has no partner. Constant while there are terms in the block.
    i : In(lane_term(4))
        Terms; the tag is the index.
    o : Out(lane_term(4))
        Sums, one lane after the other; the first of ``bits`` is 0 in their index.

    Raises
    ------
    ValueError
        If ``lanes`` is no integer in 1..16, or ``bits`` are not different ones in 0..3.
    """

    LATENCY = 1 + Adder.LATENCY

    count: Signal
    i: data.View
    o: data.View

    def __init__(self, *, lanes: int, bits: Sequence[int]):
        check_lanes(lanes)
        if not bits or len(set(bits)) != len(bits) or not set(bits) <= set(range(INDEX_BITS)):
            raise ValueError(f"bits must be different ones in 0..{INDEX_BITS - 1}, not {bits!r}")
        self._lanes = lanes
        self._bits = tuple(bits)
        term = lane_term(INDEX_BITS)
        super().__init__(
            {
                "count": wiring.In(INDEX_BITS + 1),
                "i": wiring.In(term),
                "o": wiring.Out(term),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        stages = Stages(m, Const(1))
        bit, *others = self._bits
        term, lane = self.i, Signal(range(self._lanes))
        pair = Cat(term.tag[other] for other in others)
        waiting = Signal(1 << len(others))
        ends, alone, second, complete = (Signal() for _ in range(4))
        m.d.comb += [
            ends.eq(term.present & (lane == self._lanes - 1)),
            alone.eq((term.tag ^ (1 << bit)) >= self.count),
            second.eq(waiting.bit_select(pair, 1)),
            complete.eq(term.present & (alone | second)),
        ]
        with m.If(term.present):
            m.d.sync += lane.eq(Mux(ends, 0, lane + 1))
        with m.If(ends & ~alone):
            m.d.sync += waiting.bit_select(pair, 1).eq(~second)

        m.submodules.first = first = memory.Memory(
            shape=FLOAT32_BITS,
            depth=1 << len(Cat(lane, pair)),
            init=[],
            attrs={"ram_style": "distributed"},
        )
        write, read = first.write_port(), first.read_port(domain="comb")
        m.d.comb += [
            write.en.eq(term.present & ~complete),
            write.addr.eq(Cat(lane, pair)),
            write.data.eq(term.value),
            read.addr.eq(Cat(lane, pair)),
        ]
        operands = stages(first=Mux(second, read.data, 0), term=term.value)
        total = attach(
            m, "adder", Adder(magnitudes=True), Const(1), a=operands.first, b=operands.term
        )
        index = term.tag & ~(1 << bit)
        m.d.comb += [
            self.o.value.eq(total),
            self.o.present.eq(stages.delay(complete, self.LATENCY, "present", reset=True)),
            self.o.tag.eq(stages.delay(index[:INDEX_BITS], self.LATENCY, "tag")),
        ]
        return m
