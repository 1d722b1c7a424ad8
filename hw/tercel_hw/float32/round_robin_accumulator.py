"""Eight sums that take turns in one pipelined adder."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, memory, wiring

from tercel.numerics.quantise import ACCUMULATORS
from tercel_hw.float32.adder import Adder
from tercel_hw.float32.pair_sum import TERM
from tercel_hw.float32.primitive import FLOAT32_BITS, attach
from tercel_hw.float32.stages import Stages

__all__ = ["MARKS", "SLOT_BITS", "RoundRobinAccumulator"]

SLOT_BITS = (ACCUMULATORS - 1).bit_length()

MARKS = data.StructLayout({"slot": SLOT_BITS, "first_round": 1, "last": 1})
"""Which accumulator a value is for, whether it is that one's first, whether it ends the row."""


class RoundRobinAccumulator(wiring.Component):
    """Deals a row's values, none negative, to 8 accumulators, then tells their sums in turn.

    No flow control; one value a cycle. A row has a multiple of 8 values, for slot 0 to 7 and
    again; gaps do no harm. The sums lie in a small memory. They are read in successive cycles,
    while the next row's first sums are still in the adder: its latency must not exceed 8.

    Members
    -------
    enable : In(1)
        While it is low, nothing moves.
    i : In(32)
    present : In(1)
    marks : In(MARKS)
    o : Out(TERM)
        The first of 8 sums comes 2 cycles after the row's last value.
    """

    LATENCY = 2 + ACCUMULATORS - 1
    """Cycles from the row's last value to the last of its sums."""

    enable: Signal
    i: Signal
    present: Signal
    marks: data.View
    o: data.View

    def __init__(self):
        super().__init__(
            {
                "enable": wiring.In(1),
                "i": wiring.In(FLOAT32_BITS),
                "present": wiring.In(1),
                "marks": wiring.In(MARKS),
                "o": wiring.Out(TERM),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        stages = Stages(m, self.enable)
        m.submodules.sums = sums = memory.Memory(
            shape=FLOAT32_BITS, depth=ACCUMULATORS, init=[], attrs={"ram_style": "distributed"}
        )
        write, own = sums.write_port(), sums.read_port(domain="comb")
        result = sums.read_port(domain="comb")

        so_far = Signal(FLOAT32_BITS)
        total = attach(m, "adder", Adder(magnitudes=True), self.enable, a=so_far, b=self.i)
        written = stages.delay(self.present, Adder.LATENCY, "written", reset=True)
        slot = stages.delay(self.marks.slot, Adder.LATENCY, "slot")
        m.d.comb += [
            write.en.eq(written & self.enable),
            write.addr.eq(slot),
            write.data.eq(total),
            own.addr.eq(self.marks.slot),
        ]
        # At one value a cycle a sum returns in the very cycle in which it is written.
        returning = written & (slot == self.marks.slot)
        with m.If(~self.marks.first_round):
            m.d.comb += so_far.eq(Mux(returning, total, own.data))

        telling = Signal()
        told = Signal(SLOT_BITS)
        ended = stages.delay(self.present & self.marks.last, 1, "ended", reset=True)
        with m.If(self.enable):
            m.d.sync += told.eq(Mux(ended, 0, told + 1))
            with m.If(ended):
                m.d.sync += telling.eq(1)
            with m.Elif(self.o.last):
                m.d.sync += telling.eq(0)
        m.d.comb += [
            result.addr.eq(told),
            self.o.value.eq(result.data),
            self.o.present.eq(telling),
            self.o.last.eq(told == ACCUMULATORS - 1),
        ]
        return m
