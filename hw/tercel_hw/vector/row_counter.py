"""The use of one pipeline for all lanes, one after the other."""

from amaranth.hdl import Const, Module, Mux, Signal
from amaranth.lib import data, wiring

from tercel_hw.float32 import Primitive, Stages

__all__ = ["RowCounter"]


class RowCounter(wiring.Component):
    """Passes each lane's operands through a primitive, a lane a cycle, and stores the results.

    Parameters
    ----------
    primitive
        Primitive, which becomes a submodule.
    lanes
        Number of lanes.
    shared
        Operands that are the same for all lanes; the others are arrays.

    Members
    -------
    start : In(1)
        A pulse: begin; the operands must be constant until ``done``.
    i : In(StructLayout)
        The primitive's operands, each an array unless it is shared.
    done : Out(1)
        A pulse, ``latency`` cycles after ``start``: all results are valid from this cycle on.
    o : Out(ArrayLayout(primitive.result, lanes))
        Results, kept until the next row.
    """

    start: Signal
    i: data.View
    done: Signal
    o: data.View

    def __init__(self, primitive: Primitive, *, lanes: int, shared: tuple[str, ...] = ()):
        self._primitive = primitive
        self._lanes = lanes
        self._shared = shared
        operands = {
            name: shape if name in shared else data.ArrayLayout(shape, lanes)
            for name, shape in primitive.operands.items()
        }
        super().__init__(
            {
                "start": wiring.In(1),
                "i": wiring.In(data.StructLayout(operands)),
                "done": wiring.Out(1),
                "o": wiring.Out(data.ArrayLayout(primitive.result, lanes)),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from ``start`` to ``done``."""
        return self._primitive.latency + self._lanes

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.primitive = primitive = self._primitive
        stages = Stages(m, Const(1))
        lane = Signal(range(self._lanes))
        present, running, ends = Signal(), Signal(), Signal()
        m.d.comb += [
            primitive.enable.eq(1),
            present.eq(self.start | running),
            ends.eq(lane == self._lanes - 1),
        ]
        with m.If(present):
            m.d.sync += [lane.eq(Mux(ends, 0, lane + 1)), running.eq(~ends)]
        for name in primitive.operands:
            operand = self.i[name]
            chosen = operand if name in self._shared else operand[lane]
            m.d.comb += getattr(primitive, name).eq(chosen)

        arrives = stages.delay(present, primitive.latency, "arrives", reset=True)
        place = stages.delay(lane, primitive.latency, "place")
        results = Signal(self.o.shape(), reset_less=True)
        m.d.comb += self.o.eq(results)
        for index in range(self._lanes):
            with m.If(arrives & (place == index)):
                m.d.sync += results[index].eq(primitive.o)
        m.d.sync += self.done.eq(arrives & (place == self._lanes - 1))
        return m
