"""Which words a row loader needs."""

from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from tercel_hw.vector import command_layout

__all__ = ["RowFetch"]

INT8 = 0
"""Kind of a row that has a scale."""


class RowFetch(wiring.Component):
    """Runs of words for ``rows`` commands: an int8 row's scale, then the row; one run a cycle.

    Members
    -------
    i_command : In(stream.Signature(command_layout("rows")))
    o : Out(stream.Signature(StructLayout({"address": 32, "words": 16})))
    """

    i_command: stream.Interface
    o: stream.Interface

    def __init__(self):
        run = data.StructLayout({"address": unsigned(32), "words": unsigned(16)})
        super().__init__(
            {
                "i_command": In(stream.Signature(command_layout("rows"))),
                "o": Out(stream.Signature(run)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        command, run = self.i_command.payload, self.o.payload
        scaled, empty, taken = Signal(), Signal(), Signal()
        m.d.comb += [
            empty.eq(command.words == 0),
            taken.eq(self.o.valid & self.o.ready),
            self.o.valid.eq(self.i_command.valid & ~empty),
        ]
        with m.If((command.kind == INT8) & ~scaled):
            m.d.comb += [
                run.address.eq(command.scale_address),
                run.words.eq(1),
                self.i_command.ready.eq(empty),
            ]
            m.d.sync += scaled.eq(taken)
        with m.Else():
            m.d.comb += [
                run.address.eq(command.address),
                run.words.eq(command.words),
                self.i_command.ready.eq(empty | self.o.ready),
            ]
            with m.If(taken):
                m.d.sync += scaled.eq(0)
        return m
