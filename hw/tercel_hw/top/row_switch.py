"""The switch of rows from one of several sources to one of several consumers."""

from collections.abc import Sequence

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from tercel_hw.vector import command_layout

__all__ = ["RowSwitch"]


class RowSwitch(wiring.Component):
    """Passes one row for every norm command, from its source to its target; no latency.

    A cycle between two rows is spent on the command.

    Parameters
    ----------
    layout
        Layout of an element; ``last`` ends a row.
    field
        The command's field that selects: ``source`` or ``target``.
    count
        Number of sources or targets.
    both
        True if a command may ask for ``both`` of two targets: then an element passes when both take
        it.

    Members
    -------
    i_command : In(stream.Signature(command_layout("norm")))
    i : array of In(stream.Signature(layout))
        The sources; one if ``field`` is ``target``.
    o : array of Out(stream.Signature(layout))
        The targets; one if ``field`` is ``source``.
    """

    i_command: stream.Interface
    i: Sequence[stream.Interface]
    o: Sequence[stream.Interface]

    def __init__(self, *, layout: data.StructLayout, field: str, count: int, both: bool = False):
        self._field = field
        self._both = both
        sources, targets = (count, 1) if field == "source" else (1, count)
        super().__init__(
            {
                "i_command": In(stream.Signature(command_layout("norm"))),
                "i": In(stream.Signature(layout)).array(sources),
                "o": Out(stream.Signature(layout)).array(targets),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        choice = Signal.like(self.i_command.payload[self._field])
        open_, ended = Signal(), Signal()
        m.d.comb += self.i_command.ready.eq(~open_)
        both = Signal()
        with m.If(self.i_command.valid & ~open_):
            m.d.sync += [open_.eq(1), choice.eq(self.i_command.payload[self._field])]
            if self._both:
                m.d.sync += both.eq(self.i_command.payload.both)
        with m.Elif(ended):
            m.d.sync += open_.eq(0)
        if self._both:
            self._fork(m, open_ & both, ended)
        if len(self.i) == 1:
            # The only source needs no gates of its elements.
            m.d.comb += [target.payload.eq(self.i[0].payload) for target in self.o]
        pairs = [(source, target) for source in self.i for target in self.o]
        for index, (source, target) in enumerate(pairs):
            with m.If(open_ & ~both & (choice == index)):
                if len(self.i) > 1:
                    m.d.comb += target.payload.eq(source.payload)
                m.d.comb += [
                    target.valid.eq(source.valid),
                    source.ready.eq(target.ready),
                    ended.eq(source.valid & target.ready & source.payload.last),
                ]
        return m

    def _fork(self, m: Module, forks: Value, ended: Signal) -> None:
        """Pass the elements of the source to both targets at once."""
        (source,), (first, second) = self.i, self.o
        with m.If(forks):
            for target, other in ((first, second), (second, first)):
                m.d.comb += target.valid.eq(source.valid & other.ready)
            m.d.comb += [
                source.ready.eq(first.ready & second.ready),
                ended.eq(source.valid & source.ready & source.payload.last),
            ]
