"""The builder of result lines from the lanes' words."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring

from tercel_hw.head.config import HeadConfig

__all__ = ["LineBuilder"]


class LineBuilder(wiring.Component):
    """Gathers the words of a line, one a cycle, while the previous line waits to be taken.

    A line is offered 2 cycles after its last word was taken. ``i.ready`` comes from registers, so
    lines of one word may come in two of three cycles, longer ones without a gap. Lanes without a
    word keep their previous value.

    Parameters
    ----------
    config
        Parameters of the block.

    Members
    -------
    i : In(stream.Signature(config.word))
        ``last`` ends a line.
    o : Out(stream.Signature(config.floats))
    """

    LATENCY = 2

    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: HeadConfig):
        self._config = config
        super().__init__(
            {
                "i": wiring.In(stream.Signature(config.word)),
                "o": wiring.Out(stream.Signature(config.floats)),
            }
        )

    @property
    def config(self) -> HeadConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        words, line = (
            Signal(self._config.floats, name=name, reset_less=True) for name in ("words", "line")
        )
        full = Signal()
        m.d.comb += [self.i.ready.eq(~full | ~self.o.valid), self.o.payload.eq(line)]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(full & (~self.o.valid | self.o.ready)):
            m.d.sync += [line.eq(words), self.o.valid.eq(1), full.eq(0)]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += full.eq(self.i.payload.last)
            for lane in range(self._config.nodes):
                with m.If(self.i.payload.lane == lane):
                    m.d.sync += words[lane].eq(self.i.payload.value)
        return m
