"""The walk over the axpy sums after the walk over the rows."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring

from tercel_hw.dense.config import DenseConfig

__all__ = ["TotalReader"]


class TotalReader(wiring.Component):
    """Addresses of sums, for each set and element; one a cycle while ``step`` is high.

    Words are cleared with their last element, and all of them after reset.

    Parameters
    ----------
    config
        The engine's shape.

    Members
    -------
    start : In(1)
        A walk over rows begins: takes ``elements`` and ``turns``; only while ``free``.
    go : In(1)
        The sums of the walk are complete.
    step : In(1)
        The address is used up.
    free : Out(1)
        Neither is a walk under way nor do sums wait; all are zero.
    busy : Out(1)
        ``slot`` counts, be it for reading or clearing.
    clear : Out(1)
        Clear the word ``slot``.
    valid : Out(1)
        There is an address: ``slot``, ``index``, the ``set``, and whether it is the ``last``.
    """

    start: Signal
    elements: Signal
    turns: Signal
    go: Signal
    step: Signal
    free: Signal
    busy: Signal
    clear: Signal
    valid: Signal
    slot: Signal
    index: Signal
    set: Signal
    last: Signal

    def __init__(self, config: DenseConfig):
        self._config = config
        command, totals = config.command.members, config.totals.members
        super().__init__(
            {
                "start": wiring.In(1),
                "elements": wiring.In(command["elements"]),
                "turns": wiring.In(command["turns"]),
                "go": wiring.In(1),
                "step": wiring.In(1),
                "free": wiring.Out(1),
                "busy": wiring.Out(1),
                "clear": wiring.Out(1),
                "valid": wiring.Out(1),
                "slot": wiring.Out(range(config.total_words)),
                "index": wiring.Out(range(config.macs)),
                "set": wiring.Out(totals["set"]),
                "last": wiring.Out(1),
            }
        )

    @property
    def config(self) -> DenseConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        final = Signal.like(self.elements)
        element = Signal.like(self.elements)
        sets = Signal(range(config.turns * config.halves + 1))
        last_element = Signal()
        walking = Signal()
        # After reset, sums of a walk that it cut off may remain.
        stale = Signal(init=1)
        used = self.valid & self.step
        m.d.comb += [
            self.free.eq(~walking & ~stale),
            self.busy.eq(self.valid | stale),
            self.clear.eq((used & (self.index.all() | last_element)) | stale),
        ]
        with m.If(self.start):
            m.d.sync += [
                walking.eq(1),
                final.eq(self.elements - 1),
                sets.eq(self.turns << (config.halves - 1)),
            ]
        m.d.comb += [
            self.index.eq(element),
            last_element.eq(element == final),
            self.last.eq(last_element & (self.set + 1 == sets)),
        ]
        with m.If(self.go):
            m.d.sync += self.valid.eq(1)
        with m.If(stale):
            m.d.sync += self.slot.eq(self.slot + 1)
            with m.If(self.slot == config.total_words - 1):
                m.d.sync += [stale.eq(0), self.slot.eq(0)]
        with m.Elif(used):
            m.d.sync += element.eq(element + 1)
            with m.If(self.index.all()):
                m.d.sync += self.slot.eq(self.slot + sets)
            with m.If(last_element):
                m.d.sync += [element.eq(0), self.set.eq(self.set + 1), self.slot.eq(self.set + 1)]
            with m.If(self.last):
                m.d.sync += [self.set.eq(0), self.slot.eq(0), self.valid.eq(0), walking.eq(0)]
        return m
