"""The rows that count."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring

from tercel_hw.head.config import HeadConfig

__all__ = ["RowLimit"]


class RowLimit(wiring.Component):
    """Numbers a head's rows, marks the last one that counts and drops those after it.

    A head comes in blocks of 16 rows; those beyond the vocabulary or the pass's row limit must not
    win. One row a cycle, no latency: a row that counts passes in the cycle in which it comes.

    Parameters
    ----------
    config
        The shape.

    Members
    -------
    i_command : In(stream.Signature(StructLayout({"rows": ..., "limit": ...})))
        Rows that come, and how many of them count: ``1 <= limit <= rows``.
    i : In(stream.Signature(config.floats))
    o : Out(stream.Signature(config.logits))
    """

    i_command: stream.Interface
    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: HeadConfig):
        self._config = config
        count = range(config.rows + 1)
        command = data.StructLayout({"rows": count, "limit": count})
        super().__init__(
            {
                "i_command": wiring.In(stream.Signature(command)),
                "i": wiring.In(stream.Signature(config.floats)),
                "o": wiring.Out(stream.Signature(config.logits)),
            }
        )

    @property
    def config(self) -> HeadConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        command = Signal.like(self.i_command.payload)
        row = Signal(range(self._config.rows + 1))
        running, counts = Signal(), Signal()
        m.d.comb += [
            self.i_command.ready.eq(~running),
            counts.eq(row < command.limit),
            self.o.valid.eq(running & self.i.valid & counts),
            self.i.ready.eq(running & (self.o.ready | ~counts)),
            self.o.payload.values.eq(self.i.payload),
            self.o.payload.row.eq(row),
            self.o.payload.last.eq(row + 1 == command.limit),
        ]
        with m.If(self.i_command.valid & self.i_command.ready):
            m.d.sync += [command.eq(self.i_command.payload), running.eq(1)]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += row.eq(row + 1)
            with m.If(row + 1 == command.rows):
                m.d.sync += [row.eq(0), running.eq(0)]
        return m
