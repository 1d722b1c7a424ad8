"""The requests of the words that a row loader needs."""

from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from tercel.image.layout import ROW_BLOCK
from tercel_hw.vector import command_layout

__all__ = ["RowFetch"]

INT8 = 0
"""Kind of an int8 row, which has a scale."""


class RowFetch(wiring.Component):
    """Requests the runs of words of ``rows`` commands; one run a cycle.

    An int8 row takes a run for its scale's word, then one for each of its slices, which lie
    ``ROW_BLOCK`` words apart.

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
        scaled, empty, taken, last = Signal(), Signal(), Signal(), Signal()
        slices = Signal.like(command.words)
        slice_at = Signal.like(command.address)
        m.d.comb += [
            empty.eq(command.words == 0),
            taken.eq(self.o.valid & self.o.ready),
            self.o.valid.eq(self.i_command.valid & ~empty),
            self.i_command.ready.eq(empty | (self.o.ready & last)),
        ]
        with m.If(command.kind != INT8):
            m.d.comb += [run.address.eq(command.address), run.words.eq(command.words), last.eq(1)]
        with m.Elif(~scaled):
            m.d.comb += [run.address.eq(command.scale_address), run.words.eq(1)]
            m.d.sync += [
                scaled.eq(taken),
                slices.eq(command.words - 1),
                slice_at.eq(command.address),
            ]
        with m.Else():
            m.d.comb += [run.address.eq(slice_at), run.words.eq(1), last.eq(slices == 0)]
            with m.If(taken):
                m.d.sync += [slices.eq(slices - 1), slice_at.eq(slice_at + ROW_BLOCK)]
                m.d.sync += scaled.eq(~last)
        return m
