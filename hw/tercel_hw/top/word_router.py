"""The router of runs of words to one of several consumers."""

from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["WordRouter"]


class WordRouter(wiring.Component):
    """Sends the words of each run to the run's target; one word a cycle, no latency.

    A cycle between two runs is spent on the command.

    Parameters
    ----------
    width
        Bits of a word.
    targets
        Number of consumers.
    command
        Layout of a run: it has at least ``target`` and ``words``, not zero.

    Members
    -------
    i_command : In(stream.Signature(command))
    i : In(stream.Signature(width))
    o : array of Out(stream.Signature(width))
    active : Out(targets)
        One-hot: the target of the current run; zero if there is none.
    """

    i_command: stream.Interface
    i: stream.Interface
    o: list[stream.Interface]
    active: Signal

    def __init__(self, *, width: int, targets: int, command: data.StructLayout):
        words = stream.Signature(unsigned(width))
        super().__init__(
            {
                "i_command": In(stream.Signature(command)),
                "i": In(words),
                "o": Out(words).array(targets),
                "active": Out(targets),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        command = self.i_command.payload
        left, last = Signal.like(command.words), Signal()
        gone = Signal()
        m.d.comb += [
            self.i_command.ready.eq(self.active == 0),
            gone.eq(self.i.valid & self.i.ready),
        ]
        # What a word decides comes from registers: the words of the tape feed many.
        with m.If(self.i_command.valid & self.i_command.ready):
            m.d.sync += [
                self.active.eq((1 << command.target) & (command.words != 0).replicate(len(self.o))),
                left.eq(command.words),
                last.eq(command.words == 1),
            ]
        with m.Elif(gone):
            m.d.sync += [left.eq(left - 1), last.eq(left == 2)]
            with m.If(last):
                m.d.sync += self.active.eq(0)
        for index, output in enumerate(self.o):
            chosen = self.active[index]
            m.d.comb += [
                output.payload.eq(self.i.payload),
                output.valid.eq(self.i.valid & chosen),
            ]
            with m.If(chosen):
                m.d.comb += self.i.ready.eq(output.ready)
        return m
