"""The memory of the vectors that a dense engine multiplies rows by."""

from amaranth.hdl import Cat, Const, Module, Signal, unsigned
from amaranth.lib import data, memory, stream, wiring

from tercel_hw.dense.config import DenseConfig

__all__ = ["VectorStore"]


class VectorStore(wiring.Component):
    """Stores slices of K vectors in block RAM; a slice is read cell by cell.

    A word holds the bytes of one cell of all chains and lanes. The first leaves two cycles after
    `load`, the others in the cycles that follow, as the cells of a chain need them.

    Parameters
    ----------
    config
        Parameters of the engine.

    Members
    -------
    i : In(stream.Signature(config.column))
        Always ready; bytes of a slice that are not written keep their value. A half slice is
        written into both halves of the beat.
    load : In(1)
        Read the slice; not again within ``chain`` cycles.
    slice : In(range(slices))
        Slice to read, valid with `load`.
    o : Out(ArrayLayout(ArrayLayout(signed(8), nodes), chains))
    """

    i: stream.Interface
    load: Signal
    slice: Signal
    o: data.View

    def __init__(self, config: DenseConfig):
        self._config = config
        self._word = data.ArrayLayout(config.column.members["values"], config.chains)
        super().__init__(
            {
                "i": wiring.In(stream.Signature(config.column)),
                "load": wiring.In(1),
                "slice": wiring.In(range(config.slices)),
                "o": wiring.Out(self._word),
            }
        )

    @property
    def config(self) -> DenseConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        depth = config.slices * config.chain
        m.submodules.words = words = memory.Memory(
            shape=unsigned(self._word.size), depth=depth, init=[], attrs={"ram_style": "block"}
        )
        write, read = words.write_port(granularity=8), words.read_port()
        column = self.i.payload
        cell_bits = (config.chain - 1).bit_length()
        cell, chain = column.index[:cell_bits], column.index[cell_bits:]
        enables = []
        for index in range(config.chains):
            # A half slice's chain has its copy in the upper half.
            other = index % (config.chains // 2)
            mine = (chain == index) | (column.half & (chain == other))
            enables.append(column.lanes & (self.i.valid & mine).replicate(config.nodes))
        m.d.comb += [
            self.i.ready.eq(1),
            write.addr.eq(Cat(cell, column.slice)),
            write.data.eq(Cat(column["values"].as_value() for _ in range(config.chains))),
            write.en.eq(Cat(enables)),
        ]
        address = Signal(range(depth))
        with m.If(self.load):
            m.d.sync += address.eq(Cat(Const(0, cell_bits), self.slice))
        with m.Else():
            m.d.sync += address.eq(address + 1)
        m.d.comb += [read.addr.eq(address), self.o.eq(read.data)]
        return m
