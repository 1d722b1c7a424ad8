"""The lookup tables of one part of every code."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from tercel_hw.tlmm.config import TlmmConfig
from tercel_hw.tlmm.layouts import entry_layout, lookup_layout, place_layout

__all__ = ["TableBank"]


class TableBank(wiring.Component):
    """One double-buffered table of K sums for every code of a row-chunk, in distributed RAM.

    Table ``t`` is filled by generator ``t % generators`` only, as its slot ``t // generators``.
    Entry 0 is never written and is zero. One lookup in every table a cycle, latency 1. An entry can
    be looked up from the cycle after its writing.

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
    bank : In
        Bank of the lookups.
    sums : Out
        Sums ``[table][node]``.
    """

    LATENCY = 1

    entries: data.View
    places: data.View
    indices: data.View
    bank: Signal
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
                "bank": In(1),
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
            ram = memory.Memory(
                shape=entry.sums.shape(),
                depth=2 << bits,
                init=[],
                attrs={"ram_style": "distributed"},
            )
            m.submodules[f"table_{table}"] = ram
            write, read = ram.write_port(), ram.read_port(domain="comb")
            m.d.comb += [
                write.addr.eq(Cat(entry.index[:bits], place.bank)),
                write.data.eq(entry.sums),
                write.en.eq(entry.valid & (place.slot == slot)),
                read.addr.eq(Cat(self.indices[table][:bits], self.bank)),
            ]
            m.d.sync += self.sums[table].eq(read.data)
        return m
