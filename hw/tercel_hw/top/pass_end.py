"""The end of a pass: no command, row or write is outstanding."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tercel_hw.top.outstanding import Outstanding

__all__ = ["PassEnd"]


class PassEnd(wiring.Component):
    """Counts the work that commands start and reports when none is left.

    Work whose unit may not have begun counts from the command that starts it: a row of the residual
    stream, the cache rows of a layer, a run of result lines. All other work has its own signal.

    Members
    -------
    row_issued, row_done : In(1)
        A command for a row of the residual stream was issued; the last element of one has left.
    cache_issued, cache_done : In(1)
        A command for the cache rows of a layer was issued; those of one are in memory.
    results_issued : In(2)
        Number of runs of result lines for which commands were issued.
    results_done : In(1)
        A run of result lines was written.
    waiting : In(1)
        A command waits in a queue.
    writing : In(1)
        Writes are on their way to memory.
    idle : Out(1)
        No work was outstanding; ``LATENCY`` cycles after the last event, one more after one of
        ``row_done``, ``cache_done``, ``results_done``, which are counted from registers.
    """

    LATENCY = 1

    row_issued: Signal
    row_done: Signal
    cache_issued: Signal
    cache_done: Signal
    results_issued: Signal
    results_done: Signal
    waiting: Signal
    writing: Signal
    idle: Signal

    def __init__(self):
        names = ("row_issued", "row_done", "cache_issued", "cache_done", "results_done")
        super().__init__(
            {
                **{name: In(1) for name in (*names, "waiting", "writing")},
                "results_issued": In(2),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        left = []
        for name, issued, done in (
            ("rows", self.row_issued, self.row_done),
            ("caches", self.cache_issued, self.cache_done),
            ("results", self.results_issued, self.results_done),
        ):
            m.submodules[name] = counter = Outstanding()
            counted = Signal(name=f"{name}_done")
            m.d.sync += counted.eq(done)
            m.d.comb += [counter.issued.eq(issued), counter.done.eq(counted)]
            left.append(counter.any)
        m.d.sync += self.idle.eq(~(Cat(left).any() | self.waiting | self.writing))
        return m
