"""The best row of each lane."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring

from tercel_hw.float32.primitive import FLOAT32_BITS
from tercel_hw.head.config import HeadConfig
from tercel_hw.head.order import key_of, value_of

__all__ = ["Argmax"]


class Argmax(wiring.Component):
    """``numerics.argmax`` over a stream of rows; ties go to the lower row, -0.0 equals 0.0.

    One row a cycle; the result is offered 2 cycles after the last row was taken. While a result
    waits, the next walk does too.

    Parameters
    ----------
    config
        The shape.

    Members
    -------
    i : In(stream.Signature(config.logits))
        Rows in rising order.
    o : Out(stream.Signature(config.candidates))
        One for each walk.
    """

    LATENCY = 2

    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: HeadConfig):
        self._config = config
        super().__init__(
            {
                "i": wiring.In(stream.Signature(config.logits)),
                "o": wiring.Out(stream.Signature(config.candidates)),
            }
        )

    @property
    def config(self) -> HeadConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        nodes = self._config.nodes
        enable = Signal()
        keys = Signal(data.ArrayLayout(FLOAT32_BITS, nodes), reset_less=True)
        row = Signal.like(self.i.payload.row, reset_less=True)
        full, last = Signal(), Signal()
        first = Signal(init=1)
        m.d.comb += [
            enable.eq(~self.o.valid | self.o.ready),
            self.i.ready.eq(enable),
            self.o.payload.last.eq(1),
        ]
        with m.If(enable):
            m.d.sync += [
                full.eq(self.i.valid),
                row.eq(self.i.payload.row),
                last.eq(self.i.payload.last),
                self.o.valid.eq(full & last),
            ]
            with m.If(full):
                m.d.sync += first.eq(last)
        for lane in range(nodes):
            best = Signal(FLOAT32_BITS, name=f"best{lane}", reset_less=True)
            better = Signal(name=f"better{lane}")
            m.d.comb += [
                better.eq(first | (keys[lane] > best)),
                self.o.payload.values[lane].eq(value_of(best)),
            ]
            with m.If(enable):
                m.d.sync += keys[lane].eq(key_of(self.i.payload.values[lane]))
            with m.If(enable & full):
                rows = self.o.payload.rows[lane]
                m.d.sync += [
                    best.eq(Mux(better, keys[lane], best)),
                    rows.eq(Mux(better, row, rows)),
                ]
        return m
