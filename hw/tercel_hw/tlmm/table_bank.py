"""The lookup tables of one part of every code."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from tercel_hw.tlmm.config import TlmmConfig
from tercel_hw.tlmm.layouts import entry_layout, lookup_layout, place_layout
from tercel_hw.zeroed_memory import ZeroedMemory

__all__ = ["TableBank"]


class TableBank(wiring.Component):
    """One double-buffered table of K sums for every code of a row-chunk, in distributed RAM.

    Table ``t`` is filled by generator ``t % generators`` only, as its slot ``t // generators``.
    Entry 0 is never written and is zero. One lookup in every table a cycle, latency 1. An entry can
    be looked up from the cycle after its writing. The registers of the sums have no reset.

    Parameters
    ----------
    config
        Parameters of the engine.
    part
        Index of the part of the code.

    Members
    -------
    entries : In
        An entry to write from each generator.
    places : In
        Code and bank of each generator's entry.
    indices : In
        The entry that each table looks up.
    banks : In
        Bank of each table's lookup: a bit a table, so that no net has the loads of all of them.
    sums : Out
        Sums ``[table][node]``.
    """

    LATENCY = 1

    entries: data.View
    places: data.View
    indices: data.View
    banks: Signal
    sums: data.View

    def __init__(self, *, config: TlmmConfig, part: int):
        if not 0 <= part < len(config.parts):
            raise ValueError(f"part must be in 0..{len(config.parts) - 1}, not {part}")
        self._config = config
        self._part = part
        entry = entry_layout(config, part)
        index = lookup_layout(config)["index"].shape
        super().__init__(
            {
                "entries": In(data.ArrayLayout(entry, config.generators)),
                "places": In(data.ArrayLayout(place_layout(config), config.generators)),
                "indices": In(data.ArrayLayout(index, config.tables)),
                "banks": In(config.tables),
                "sums": Out(data.ArrayLayout(entry["sums"].shape, config.tables)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        bits = config.sums[self._part].bit_length()
        for table in range(config.tables):
            slot, generator = divmod(table, config.generators)
            entry, place = self.entries[generator], self.places[generator]
            # The sum of no activation, whose index is 0, is not among the entries.
            ram = ZeroedMemory(
                shape=entry.sums.shape(), depth=2 << bits, attrs={"ram_style": "distributed"}
            )
            m.submodules[f"table_{table}"] = ram
            write, read = ram.write_port(), ram.read_port(domain="comb")
            found = Signal(entry.sums.shape(), name=f"sums_{table}", reset_less=True)
            m.d.comb += [
                write.addr.eq(Cat(entry.index[:bits], place.bank)),
                write.data.eq(entry.sums),
                write.en.eq(entry.valid & (place.slot == slot)),
                read.addr.eq(Cat(self.indices[table][:bits], self.banks[table])),
                self.sums[table].eq(found),
            ]
            m.d.sync += found.eq(read.data)
        return m
