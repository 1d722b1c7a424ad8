"""The k best rows of each lane."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, stream, wiring

from tercel_hw.float32.primitive import FLOAT32_BITS
from tercel_hw.head.config import HeadConfig
from tercel_hw.head.order import key_of, value_of
from tercel_hw.head.sorted_list import SortedList

__all__ = ["TopK"]


class TopK(wiring.Component):
    """``numerics.top_k`` over a stream of rows, best first; ties go to the lower row.

    A row that enters no lane's list takes one cycle. One that does takes a cycle more and one for
    each entry that it displaces in the lane where these are most: at worst ``best + 1`` in all. A
    head's row takes as many cycles as it has beats (24 to 40), which hides all but early bursts.
    Results: one rank a cycle, the first 2 cycles after the last row was taken if that row enters
    no list; ``min(rows, best)`` of them.

    Parameters
    ----------
    config
        The shape.

    Members
    -------
    i : In(stream.Signature(config.logits))
        Rows in rising order.
    o : Out(stream.Signature(config.candidates))
        ``last`` with a walk's last rank.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: HeadConfig):
        self._config = config
        super().__init__(
            {
                "i": wiring.In(stream.Signature(config.logits)),
                "o": wiring.Out(stream.Signature(config.candidates)),
            }
        )

    @property
    def config(self) -> HeadConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        keys = Signal(data.ArrayLayout(FLOAT32_BITS, config.nodes), reset_less=True)
        row = Signal.like(self.i.payload.row, reset_less=True)
        waiting, ending, idle, offer, clear = (Signal() for _ in range(5))
        rank = Signal(range(config.best))
        count = Signal(range(config.best + 1))

        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [
                waiting.eq(1),
                ending.eq(self.i.payload.last),
                row.eq(self.i.payload.row),
            ]
        with m.Elif(offer):
            m.d.sync += waiting.eq(0)
        taken = self.o.valid & self.o.ready
        with m.If(taken):
            m.d.sync += rank.eq(rank + 1)
        m.d.comb += [
            offer.eq(waiting & idle),
            self.i.ready.eq((offer | ~waiting) & ~ending),
            self.o.valid.eq(ending & ~waiting & idle),
            self.o.payload.last.eq(rank + 1 == count),
            clear.eq(taken & self.o.payload.last),
        ]
        with m.If(clear):
            m.d.sync += [ending.eq(0), rank.eq(0)]

        lists = []
        for lane in range(config.nodes):
            m.submodules[f"list{lane}"] = best = SortedList(config)
            lists.append(best)
            with m.If(self.i.valid & self.i.ready):
                m.d.sync += keys[lane].eq(key_of(self.i.payload.values[lane]))
            m.d.comb += [
                best.key.eq(keys[lane]),
                best.row.eq(row),
                best.offer.eq(offer),
                best.clear.eq(clear),
                best.index.eq(rank),
                self.o.payload.values[lane].eq(value_of(best.best_key)),
                self.o.payload.rows[lane].eq(best.best_row),
            ]
        # Every lane has seen as many rows.
        m.d.comb += [idle.eq(Cat(best.idle for best in lists).all()), count.eq(lists[0].count)]
        return m
