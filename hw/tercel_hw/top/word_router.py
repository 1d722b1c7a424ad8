"""The router of runs of words to one of several consumers."""

from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from tercel_hw.shallow_fifo import ShallowFifo

__all__ = ["WordRouter"]


class WordRouter(wiring.Component):
    """Sends the words of each run to the run's target, through a queue for each.

    No path leads through it. One word a cycle, latency ``LATENCY``; a cycle between two runs is
    spent on the command.

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

    LATENCY = ShallowFifo.LATENCY
    QUEUE = 2
    """Words of a target's queue."""

    i_command: stream.Interface
    i: stream.Interface
    o: list[stream.Interface]
    active: Signal

    def __init__(self, *, width: int, targets: int, command: data.StructLayout):
        self._width = width
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
            m.submodules[f"queue{index}"] = queue = ShallowFifo(
                unsigned(self._width), depth=self.QUEUE
            )
            chosen = self.active[index]
            wiring.connect(m, queue.o, wiring.flipped(output))
            m.d.comb += [
                queue.i.payload.eq(self.i.payload),
                queue.i.valid.eq(self.i.valid & chosen),
            ]
            with m.If(chosen):
                m.d.comb += self.i.ready.eq(queue.i.ready)
        return m
