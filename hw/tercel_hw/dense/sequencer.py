"""The order in which rows, vectors and weights meet."""

from amaranth.hdl import Array, Module, Mux, Signal
from amaranth.lib import data, stream, wiring

from tercel_hw.dense.config import DenseConfig

__all__ = ["Sequencer", "step_layout"]


def step_layout(config: DenseConfig) -> data.StructLayout:
    """One cycle's work: a beat against one set of vectors or weights."""
    return data.StructLayout(
        {
            "row": config.beat,
            "weights": data.ArrayLayout(config.weights.elem_shape, config.columns),
            "axpy": 1,
            # Address of the vectors, or of the axpy sums.
            "slot": range(max(config.vector_beats, config.total_words)),
            "turn": range(config.turns),
            # Of the row.
            "first": 1,
            # Dot: of the row. Axpy: of the walk.
            "last": 1,
        }
    )


class Sequencer(wiring.Component):
    """Turns a command, its rows and its weights into steps, one a cycle.

    For each row, each beat: every turn, in axpy mode every half of the lanes. A beat is taken with
    its last step, a weight with the last step of its row's first beat; later beats use a copy.

    Parameters
    ----------
    config
        The engine's shape.

    Members
    -------
    i_command : In(stream.Signature(config.command))
        Taken when the walk before has issued its last step and, for axpy, ``free`` is high.
    i_row : In(stream.Signature(config.beat))
    i_weight : In(stream.Signature(config.weights))
    room : In(1)
        A dot's sum may be issued.
    free : In(1)
        The axpy sums may be overwritten.
    o : Out(stream.Signature(step_layout(config)))
        ``ready`` is ignored.
    """

    i_command: stream.Interface
    i_row: stream.Interface
    i_weight: stream.Interface
    room: Signal
    free: Signal
    o: stream.Interface

    def __init__(self, config: DenseConfig):
        self._config = config
        super().__init__(
            {
                "i_command": wiring.In(stream.Signature(config.command)),
                "i_row": wiring.In(stream.Signature(config.beat)),
                "i_weight": wiring.In(stream.Signature(config.weights)),
                "room": wiring.In(1),
                "free": wiring.In(1),
                "o": wiring.Out(stream.Signature(step_layout(config))),
            }
        )

    @property
    def config(self) -> DenseConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        command = Signal(config.command)
        running = Signal()
        row = Signal(config.rows.bit_length())
        beat = Signal(range(config.vector_beats))
        turn = Signal(range(config.turns))
        half = Signal(range(max(config.halves, 2)))
        slot = Signal.like(self.o.payload.slot)

        last_beat, last_turn, last_half, last_row = Signal(), Signal(), Signal(), Signal()
        final_beat = Signal(range(config.vector_beats))
        m.d.comb += [
            last_row.eq(row + 1 == command.rows),
            last_beat.eq(beat == final_beat),
            last_turn.eq(turn + 1 == command.turns),
            last_half.eq((half == config.halves - 1) | ~command.axpy),
            self.i_command.ready.eq(~running & (self.free | ~self.i_command.payload.axpy)),
        ]
        offered = self.i_command.payload
        with m.If(self.i_command.valid & self.i_command.ready):
            m.d.sync += [
                command.eq(offered),
                final_beat.eq((offered.elements - 1) >> config.macs.bit_length() - 1),
                running.eq(1),
            ]

        fresh = Signal()
        issued = self.o.valid
        # Sums are written a cycle late: one and the same word takes every second cycle.
        recent, single = Signal(), Signal()
        m.d.sync += recent.eq(issued)
        m.d.comb += single.eq((slot == 0) & last_beat & last_turn & last_half)
        weighed = (~fresh | self.i_weight.valid) & ~(recent & single)
        ready = Mux(command.axpy, weighed, ~last_beat | self.room)
        m.d.comb += [
            fresh.eq(beat == 0),
            issued.eq(running & self.i_row.valid & ready),
            self.i_row.ready.eq(issued & last_turn & last_half),
            self.i_weight.ready.eq(issued & command.axpy & fresh & last_half),
        ]
        with m.If(issued):
            m.d.sync += slot.eq(slot + 1)
            with m.If(~last_half):
                m.d.sync += half.eq(half + 1)
            with m.Else():
                m.d.sync += [half.eq(0), turn.eq(Mux(last_turn, 0, turn + 1))]
        with m.If(self.i_row.ready):
            m.d.sync += beat.eq(beat + 1)
            with m.If(last_beat):
                m.d.sync += [beat.eq(0), slot.eq(0), row.eq(row + 1)]
                with m.If(last_row):
                    m.d.sync += [row.eq(0), running.eq(0)]

        kept = Array(
            Signal(config.weights, name=f"kept{index}", reset_less=True)
            for index in range(config.turns)
        )
        weights = Signal(config.weights)
        m.d.comb += weights.eq(Mux(fresh, self.i_weight.payload, kept[turn]))
        with m.If(self.i_weight.ready):
            m.d.sync += kept[turn].eq(self.i_weight.payload)

        step = self.o.payload
        m.d.comb += [
            step.row.eq(self.i_row.payload),
            step.axpy.eq(command.axpy),
            step.slot.eq(slot),
            step.turn.eq(turn),
            step.first.eq(fresh),
            step.last.eq(last_beat & (~command.axpy | (last_row & last_turn & last_half))),
        ]
        for lane in range(config.columns):
            lower, upper = weights[lane], weights[lane + config.nodes - config.columns]
            m.d.comb += step.weights[lane].eq(Mux(half, upper, lower))
        return m
