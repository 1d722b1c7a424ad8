"""The exact axpy sums of a column."""

from amaranth.hdl import Cat, Module, Signal, signed
from amaranth.lib import data, memory, wiring

from tercel_hw.dense.config import TOTAL_BITS, DenseConfig

__all__ = ["AccumulatorColumn"]


class AccumulatorColumn(wiring.Component):
    """``macs`` sums in each word of a memory; a word a cycle is added to.

    A DSP's adder, with its result register as the sum: the memory, read without a register, feeds
    the C input and nothing else does, so that the adder needs no lookup tables. The sum is written
    a cycle later; hence a word must not be named in two cycles running.

    Parameters
    ----------
    config
        The engine's shape.

    Members
    -------
    products : In(config.products)
    valid : In(1)
        Add the products to the word ``slot``; it is up to date two cycles later.
    clear : In(1)
        Make it zero, likewise.
    slot : In(range(total_words))
    index : In(range(macs))
    o : Out(signed(37))
        The sum ``index`` of the word ``slot``, without a register.
    """

    products: data.View
    valid: Signal
    clear: Signal
    slot: Signal
    index: Signal
    o: Signal

    def __init__(self, config: DenseConfig):
        self._config = config
        super().__init__(
            {
                "products": wiring.In(config.products),
                "valid": wiring.In(1),
                "clear": wiring.In(1),
                "slot": wiring.In(range(config.total_words)),
                "index": wiring.In(range(config.macs)),
                "o": wiring.Out(signed(TOTAL_BITS)),
            }
        )

    @property
    def config(self) -> DenseConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        m.submodules.sums = sums = memory.Memory(
            shape=data.ArrayLayout(signed(TOTAL_BITS), config.macs),
            depth=config.total_words,
            init=[],
            attrs={"ram_style": "distributed"},
        )
        write, read = sums.write_port(), sums.read_port(domain="comb")
        written = Signal()
        m.d.comb += [
            read.addr.eq(self.slot),
            write.en.eq(written),
            self.o.eq(read.data[self.index]),
        ]
        m.d.sync += [written.eq(self.valid | self.clear), write.addr.eq(self.slot)]
        totals = []
        for index in range(config.macs):
            total = Signal(signed(TOTAL_BITS), name=f"total{index}", reset_less=True)
            with m.If(self.clear):
                m.d.sync += total.eq(0)
            with m.Elif(self.valid):
                m.d.sync += total.eq(self.products[index] + read.data[index])
            totals.append(total)
        m.d.comb += write.data.eq(Cat(totals))
        return m
