"""The exact axpy sums of a column."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, memory, wiring

from tercel_hw.dense.config import TOTAL_BITS, DenseConfig

__all__ = ["AccumulatorColumn"]


class AccumulatorColumn(wiring.Component):
    """``macs`` sums in each word of a memory; a word a cycle is added to.

    A DSP's adder, with its result register as the sum: the memory, read without a register, feeds
    the C input; the sum is written a cycle later, so the same word in the next cycle takes the
    result register instead.

    Parameters
    ----------
    config
        The engine's shape.

    Members
    -------
    products : In(config.products)
    valid : In(1)
        Add the products to the word ``slot``; it is up to date for reading two cycles later.
    first : In(1)
        Overwrite it instead.
    slot : In(range(total_words))
    index : In(range(macs))
    o : Out(signed(37))
        The sum ``index`` of the word ``slot``, without a register.
    """

    products: data.View
    valid: Signal
    first: Signal
    slot: Signal
    index: Signal
    o: Signal

    def __init__(self, config: DenseConfig):
        self._config = config
        super().__init__(
            {
                "products": wiring.In(config.products),
                "valid": wiring.In(1),
                "first": wiring.In(1),
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
        written, repeated = Signal(), Signal()
        m.d.comb += [
            repeated.eq(written & (write.addr == self.slot)),
            read.addr.eq(self.slot),
            write.en.eq(written),
            self.o.eq(read.data[self.index]),
        ]
        m.d.sync += [written.eq(self.valid), write.addr.eq(self.slot)]
        totals = []
        for index in range(config.macs):
            total = Signal(signed(TOTAL_BITS), name=f"total{index}", reset_less=True)
            held = Mux(repeated, total, read.data[index])
            with m.If(self.valid):
                m.d.sync += total.eq(self.products[index] + Mux(self.first, 0, held))
            totals.append(total)
        m.d.comb += write.data.eq(Cat(totals))
        return m
