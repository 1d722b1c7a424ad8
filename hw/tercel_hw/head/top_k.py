"""The k best rows of each lane."""

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, memory, stream, wiring

from tercel_hw.float32.primitive import FLOAT32_BITS
from tercel_hw.head.config import HeadConfig
from tercel_hw.head.order import key_of, value_of

__all__ = ["TopK"]


class TopK(wiring.Component):
    """``numerics.top_k`` of every lane; ties go to the lower row, -0.0 equals 0.0.

    One block RAM holds the lanes' lists, each in falling order. A logit takes a cycle; one that
    enters its list a cycle more, and one for each entry that moves: at most ``size + 1`` in all. Of
    n rows in random order about ``k ln(n / k)`` enter a list of k, so one comparator does.

    Parameters
    ----------
    config
        The shape.

    Members
    -------
    size : In(range(config.best + 1))
        Entries of a list, at least 1; the same during a walk.
    i : In(stream.Signature(config.logit))
        Every lane's rows in rising order from 0 on: row 0 begins a new list.
    idle : Out(1)
        No logit is under way.
    read : In(1)
    rank : In(config.rank)
    entry : Out(config.entry)
        That ``rank`` named when ``read`` was high last; only while ``idle``.
    """

    size: Signal
    i: stream.Interface
    idle: Signal
    read: Signal
    rank: data.View
    entry: data.View

    def __init__(self, config: HeadConfig):
        self._config = config
        super().__init__(
            {
                "size": wiring.In(range(config.best + 1)),
                "i": wiring.In(stream.Signature(config.logit)),
                "idle": wiring.Out(1),
                "read": wiring.In(1),
                "rank": wiring.In(config.rank),
                "entry": wiring.Out(config.entry),
            }
        )

    @property
    def config(self) -> HeadConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        entry = data.StructLayout({"key": FLOAT32_BITS, "row": range(config.rows)})
        m.submodules.entries = entries = memory.Memory(
            shape=entry,
            depth=config.nodes << (config.best - 1).bit_length(),
            init=[],
            attrs={"ram_style": "block"},
        )
        # The last entries of full lists.
        m.submodules.bars = bars = memory.Memory(
            shape=unsigned(FLOAT32_BITS),
            depth=config.nodes,
            init=[],
            attrs={"ram_style": "distributed"},
        )
        write, read = entries.write_port(), entries.read_port()
        lower, bar = bars.write_port(), bars.read_port(domain="comb")

        # A logit is compared with its lane's bar; one that enters goes on and holds up the rest.
        held = data.StructLayout(
            {"entry": entry, "lane": range(config.nodes), "over": range(config.best)}
        )
        compared, new = Signal(held, reset_less=True), Signal(held, reset_less=True)
        waiting, full, inserting, moves, begins = (Signal() for _ in range(5))
        offered = self.i.payload
        fits = offered.row < self.size
        m.d.comb += [
            self.i.ready.eq(~inserting),
            self.idle.eq(~waiting & ~inserting),
            self.entry.value.eq(value_of(read.data.key)),
            self.entry.row.eq(read.data.row),
            bar.addr.eq(compared.lane),
        ]
        with m.If(~inserting):
            m.d.sync += [
                waiting.eq(self.i.valid),
                full.eq(~fits),
                compared.entry.key.eq(key_of(offered.value)),
                compared.entry.row.eq(offered.row),
                compared.lane.eq(offered.lane),
                # The place above that which it takes at first; none, all ones, is free.
                compared.over.eq(Mux(fits, offered.row - 1, self.size - 2)),
                new.eq(compared),
                inserting.eq(waiting & (~full | (compared.entry.key > bar.data))),
            ]
        with m.Elif(moves):
            m.d.sync += new.over.eq(new.over - 1)
        with m.Else():
            m.d.sync += inserting.eq(0)
        m.d.sync += begins.eq(~inserting)

        none = new.over == (1 << len(new.over)) - 1
        m.d.comb += [
            read.en.eq(~self.idle | self.read),
            read.addr.eq(
                Mux(
                    inserting,
                    Cat((new.over - 1)[: len(new.over)], new.lane),
                    Mux(waiting, Cat(compared.over, compared.lane), self.rank),
                )
            ),
            moves.eq(~none & (new.entry.key > read.data.key)),
            write.addr.eq(Cat((new.over + 1)[: len(new.over)], new.lane)),
            write.data.eq(Mux(moves, read.data, new.entry)),
            write.en.eq(inserting),
            # Of a full list, the place that is written first is the last.
            lower.addr.eq(new.lane),
            lower.data.eq(write.data.key),
            lower.en.eq(inserting & begins),
        ]
        return m
