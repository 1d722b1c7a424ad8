"""The factors of a linear's rows: products of scales, a row of all lanes a cycle."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring

from tercel.image.layout import SCALARS
from tercel_hw.float32 import Multiplier, attach
from tercel_hw.float32.primitive import FLOAT32_BITS
from tercel_hw.result_queue import FLOWS
from tercel_hw.vector.config import VectorConfig, command_layout
from tercel_hw.vector.row_scale import ONE
from tercel_hw.vector.targets import HEAD

__all__ = ["PARTS", "RowFactors", "part_of"]

PARTS = 3
"""Parts of a linear with a weight scale each."""
BY_ROW = PARTS
"""Choice of the scale of the row in place of that of a part."""


def part_of(command: data.View, row: Value) -> Value:
    """Return the part of a linear that a row belongs to, of a command of the `Dequantiser`."""
    by_place = (row >= command.second) + (row >= command.third)
    return Mux(command.interleaved, row[0], by_place)


class RowFactors(wiring.Component):
    """``scale * row_scale`` of every lane, or ``scale * weight_scale`` of the row's part.

    A row may be taken from ``PREPARE`` cycles after the last of scales and (a cycle earlier)
    command and weights was offered, if its scale is there. The weights of the next linear are taken
    during a linear.

    Parameters
    ----------
    config
        Parameters of the block.

    Members
    -------
    i_command, i_weights, i_scales, i_row_scales : In, streams
        Those of the `Dequantiser` in an accelerator with groups.
    ready : Out(1)
        A row may be taken.
    taken : In(1)
        A row is taken; only if ``ready``.
    last : In(1)
        It is the linear's last.
    target : Out(2)
        The command's target while rows are taken.
    o : Out(config.floats)
        The factors of the row that was taken ``LATENCY`` cycles ago.
    """

    LATENCY = Multiplier.LATENCY
    PREPARE = 2

    i_command: stream.Interface
    i_weights: stream.Interface
    i_scales: stream.Interface
    i_row_scales: stream.Interface
    ready: Signal
    taken: Signal
    last: Signal
    target: Signal
    o: data.View

    def __init__(self, config: VectorConfig):
        self._config = config
        command = command_layout("dequantise")
        weights = data.ArrayLayout(FLOAT32_BITS, SCALARS)
        super().__init__(
            {
                "i_command": wiring.In(stream.Signature(command)),
                "i_weights": wiring.In(stream.Signature(weights)),
                "i_scales": wiring.In(stream.Signature(config.floats)),
                "i_row_scales": wiring.In(stream.Signature(FLOAT32_BITS)),
                "ready": wiring.Out(1),
                "taken": wiring.In(1),
                "last": wiring.In(1),
                "target": wiring.Out(command["target"].shape),
                "o": wiring.Out(config.floats),
            }
        )

    @property
    def config(self) -> VectorConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        command = Signal(command_layout("dequantise"), reset_less=True)
        floats = data.ArrayLayout(FLOAT32_BITS, PARTS)
        waiting, weights = (
            Signal(floats, name=name, reset_less=True) for name in ("waiting", "weights")
        )
        scales = Signal(self._config.floats, reset_less=True)
        next_row = Signal.like(command.second)
        held, to_head, begins, prepares, running = (Signal() for _ in range(5))
        with m.FSM():
            with m.State("idle"):
                m.d.comb += self.i_command.ready.eq(1)
                m.d.sync += command.eq(self.i_command.payload)
                m.d.sync += to_head.eq(self.i_command.payload.target == HEAD)
                with m.If(self.i_command.valid):
                    m.next = "wait"
            with m.State("wait"):
                m.d.comb += begins.eq(held & (self.i_scales.valid | to_head))
                m.d.comb += self.i_scales.ready.eq(begins & ~to_head)
                with m.If(begins):
                    m.next = "prepare"
            with m.State("prepare"):
                m.d.comb += prepares.eq(1)
                m.next = "run"
            with m.State("run"):
                m.d.comb += running.eq(1)
                with m.If(self.taken & self.last):
                    m.next = "idle"
        m.d.comb += self.i_weights.ready.eq(~held)
        with m.If(self.i_weights.valid & self.i_weights.ready):
            m.d.sync += [waiting[part].eq(self.i_weights.payload[part]) for part in range(PARTS)]
            m.d.sync += held.eq(1)
        with m.If(begins):
            m.d.sync += [weights.eq(waiting), held.eq(0), next_row.eq(0)]
            for lane in range(self._config.nodes):
                m.d.sync += scales[lane].eq(Mux(to_head, ONE, self.i_scales.payload[lane]))

        # Chosen for the next row while one is taken, so that a multiplexer is all that is left.
        choice = Signal(range(BY_ROW + 1))
        by_row = choice == BY_ROW
        part = part_of(command, next_row)
        with m.If(prepares | self.taken):
            m.d.sync += [
                choice.eq(Mux(command.row_scales, BY_ROW, part)),
                next_row.eq(next_row + 1),
            ]
        m.d.comb += [
            self.ready.eq(running & (self.i_row_scales.valid | ~by_row)),
            self.i_row_scales.ready.eq(self.taken & by_row),
            self.target.eq(command.target),
        ]
        factor = Signal(FLOAT32_BITS)
        with m.Switch(choice):
            for index in range(PARTS):
                with m.Case(index):
                    m.d.comb += factor.eq(weights[index])
            with m.Case(BY_ROW):
                m.d.comb += factor.eq(self.i_row_scales.payload)
        for lane in range(self._config.nodes):
            product = attach(m, f"product{lane}", Multiplier(), FLOWS, a=scales[lane], b=factor)
            m.d.comb += self.o[lane].eq(product)
        return m
