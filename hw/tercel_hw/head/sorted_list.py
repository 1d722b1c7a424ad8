"""The k best rows of one lane."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, memory, wiring

from tercel_hw.float32.primitive import FLOAT32_BITS
from tercel_hw.head.config import HeadConfig

__all__ = ["SortedList"]


class SortedList(wiring.Component):
    """Entries in falling order of their keys, equal keys in the order in which they came.

    Insertion from the end: a cycle for each entry that moves and one for the new one, none if it
    is not better than a full list's last. A row costs a comparison and rarely more (of n rows in
    random order about ``k ln(n / k)`` enter), so a memory and one comparator do.

    Parameters
    ----------
    config
        The shape.

    Members
    -------
    clear : In(1)
        Forget all; only while idle.
    offer : In(1)
        Take ``key`` and ``row``; only while idle.
    idle : Out(1)
    count : Out(range(best + 1))
        Entries.
    index : In(range(best))
    best_key, best_row : Out
        Of the entry ``index``, without a register; while idle.
    """

    clear: Signal
    offer: Signal
    key: Signal
    row: Signal
    idle: Signal
    count: Signal
    index: Signal
    best_key: Signal
    best_row: Signal

    def __init__(self, config: HeadConfig):
        self._config = config
        super().__init__(
            {
                "clear": wiring.In(1),
                "offer": wiring.In(1),
                "key": wiring.In(FLOAT32_BITS),
                "row": wiring.In(range(config.rows)),
                "idle": wiring.Out(1),
                "count": wiring.Out(range(config.best + 1)),
                "index": wiring.In(range(config.best)),
                "best_key": wiring.Out(FLOAT32_BITS),
                "best_row": wiring.Out(range(config.rows)),
            }
        )

    @property
    def config(self) -> HeadConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        best = self._config.best
        entry = data.StructLayout({"key": FLOAT32_BITS, "row": range(self._config.rows)})
        m.submodules.entries = entries = memory.Memory(
            shape=entry, depth=best, init=[], attrs={"ram_style": "distributed"}
        )
        write, read = entries.write_port(), entries.read_port(domain="comb")
        new = Signal(entry, reset_less=True)
        place = Signal(range(best))
        inserting, full, moves = Signal(), Signal(), Signal()
        # The key of the last place of a full list.
        bar = Signal(FLOAT32_BITS, reset_less=True)
        m.d.comb += [
            self.idle.eq(~inserting),
            full.eq(self.count == best),
            self.best_key.eq(read.data.key),
            self.best_row.eq(read.data.row),
            read.addr.eq(self.index),
            write.addr.eq(place),
            write.en.eq(inserting),
            write.data.eq(new),
        ]
        with m.If(inserting):
            m.d.comb += [
                read.addr.eq(place - 1),
                moves.eq((place != 0) & (new.key > read.data.key)),
            ]
            with m.If(moves):
                m.d.comb += write.data.eq(read.data)
                m.d.sync += place.eq(place - 1)
            with m.Else():
                m.d.sync += inserting.eq(0)
            with m.If(place == best - 1):
                m.d.sync += bar.eq(write.data.key)
        with m.Elif(self.offer & (~full | (self.key > bar))):
            m.d.sync += [
                new.key.eq(self.key),
                new.row.eq(self.row),
                inserting.eq(1),
                place.eq(self.count - full),
                self.count.eq(self.count + ~full),
            ]
        with m.If(self.clear):
            m.d.sync += self.count.eq(0)
        return m
