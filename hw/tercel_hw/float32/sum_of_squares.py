"""The sum of a row's squares, in an order that keeps a pipelined adder busy."""

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import data, stream, wiring

from tercel.numerics.quantise import ACCUMULATORS, TREE
from tercel_hw.float32.adder import Adder
from tercel_hw.float32.multiplier import Multiplier
from tercel_hw.float32.pair_sum import TERM, PairSum
from tercel_hw.float32.primitive import FLOAT32_BITS, attach
from tercel_hw.float32.round_robin_accumulator import MARKS, SLOT_BITS, RoundRobinAccumulator
from tercel_hw.float32.row import check_elements, row_signature
from tercel_hw.float32.stages import Stages

__all__ = ["SumOfSquares"]

TREE_LEVELS = (TREE - 1).bit_length()


class SumOfSquares(wiring.Component):
    """``numerics.quantise.sum_of_squares`` of each row, in exactly its order; one beat a cycle.

    Squares; a binary tree over 16 neighbours, first side by side within a beat, then in turn; 8
    accumulators around one adder, whose latency they hide; a binary tree over these in turn. It
    has ``elements`` multipliers and ``elements + 3 + log2(16 / elements)`` adders, and stalls as a
    whole while a sum waits.

    A row whose 16-groups are no multiple of 8 is filled up with as many groups of zeros, one a
    cycle, during which no beat is taken.

    Parameters
    ----------
    elements
        A beat: 1, 2, 4, 8 or 16. A row's unused last elements are zeros.

    Members
    -------
    i : In(stream.Signature(StructLayout({"x": ArrayLayout(32, elements), "last": 1})))
    o : Out(stream.Signature(32))
        One a row.

    Raises
    ------
    TypeError
        If ``elements`` is no integer.
    ValueError
        If it is none of these.
    """

    GROUP_LATENCY = Multiplier.LATENCY + TREE_LEVELS * Adder.LATENCY
    """Cycles from the beat that ends a group of 16 to the group's sum."""
    LATENCY = GROUP_LATENCY + RoundRobinAccumulator.LATENCY + SLOT_BITS * Adder.LATENCY
    """Cycles from a row's last beat to its sum, without stalls and filling."""

    i: stream.Interface
    o: stream.Interface

    def __init__(self, *, elements: int):
        check_elements(elements)
        self._elements = elements
        super().__init__(
            {
                "i": wiring.In(row_signature(elements)),
                "o": wiring.Out(stream.Signature(FLOAT32_BITS)),
            }
        )

    @property
    def elements(self) -> int:
        return self._elements

    def elaborate(self, platform: object) -> Module:
        m = Module()
        enable = Signal()
        stages = Stages(m, enable)

        filling = Signal()
        present = Signal()
        ends_group = Signal()
        marks = Signal(MARKS)
        m.d.comb += [self.i.ready.eq(enable & ~filling), present.eq(self.i.valid | filling)]
        self._number_groups(m, enable, filling, present, ends_group, marks)

        level = [
            attach(m, f"square_{index}", Multiplier(), enable, a=x, b=x)
            for index, x in enumerate(self._operands(filling))
        ]
        while len(level) > 1:
            pairs = zip(level[0::2], level[1::2], strict=True)
            level = [
                attach(m, f"sum_{len(level)}_{index}", Adder(magnitudes=True), enable, a=a, b=b)
                for index, (a, b) in enumerate(pairs)
            ]
        parallel = (self._elements - 1).bit_length()
        ahead = Multiplier.LATENCY + parallel * Adder.LATENCY
        term = Signal(TERM)
        m.d.comb += [
            term.value.eq(level[0]),
            term.present.eq(stages.delay(present, ahead, "present", reset=True)),
            term.last.eq(stages.delay(ends_group, ahead, "ends_group")),
        ]
        group = self._add_in_turn(m, "group", enable, term, TREE_LEVELS - parallel)

        m.submodules.accumulator = accumulator = RoundRobinAccumulator()
        group_marks = stages.delay(marks.as_value(), self.GROUP_LATENCY, "marks")
        m.d.comb += [
            accumulator.enable.eq(enable),
            accumulator.i.eq(group.value),
            # With 16 elements a beat every term is a group, with fewer the last level's sums are.
            accumulator.present.eq(group.present),
            accumulator.marks.eq(group_marks),
        ]
        total = self._add_in_turn(m, "total", enable, accumulator.o, SLOT_BITS)
        m.d.comb += [
            enable.eq(~total.present | self.o.ready),
            self.o.valid.eq(total.present),
            self.o.payload.eq(total.value),
        ]
        return m

    def _operands(self, filling: Value) -> list[Value]:
        x: data.View = self.i.payload.x
        mask = (~filling).replicate(FLOAT32_BITS)
        return [x[index] & mask for index in range(self._elements)]

    def _number_groups(
        self,
        m: Module,
        enable: Value,
        filling: Signal,
        present: Value,
        ends_group: Signal,
        marks: data.View,
    ) -> None:
        """Count beats into groups and groups into slots; fill the last round of slots."""
        beats = TREE // self._elements
        beat = Signal(range(beats))
        slot = Signal(SLOT_BITS)
        later_round = Signal()
        row_ends = Signal()
        m.d.comb += [
            row_ends.eq(filling | self.i.payload.last),
            ends_group.eq(row_ends | (beat == beats - 1)),
            marks.slot.eq(slot),
            marks.first_round.eq(~later_round),
            marks.last.eq(row_ends & (slot == ACCUMULATORS - 1)),
        ]
        with m.If(enable & present):
            m.d.sync += [
                beat.eq(beat + 1),
                filling.eq(row_ends & ~marks.last),
            ]
            with m.If(ends_group):
                m.d.sync += [beat.eq(0), slot.eq(slot + 1)]
                with m.If(slot == ACCUMULATORS - 1):
                    m.d.sync += later_round.eq(~marks.last)

    def _add_in_turn(
        self, m: Module, name: str, enable: Value, term: data.View, levels: int
    ) -> data.View:
        """Sum ``2**levels`` successive terms by a binary tree, one adder a level."""
        for level in range(levels):
            m.submodules[f"{name}_{level}"] = pairs = PairSum()
            m.d.comb += [pairs.enable.eq(enable), pairs.i.eq(term)]
            term = pairs.o
        return term
