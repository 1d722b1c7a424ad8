"""The powers of two by which the blocks of a row are multiplied before it is quantised."""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, memory, wiring
from amaranth.utils import bits_for

from tercel.numerics.blocks import BLOCK, MOST_SHIFT
from tercel_hw.float32 import MagnitudeMaximum
from tercel_hw.float32.encoding import MANTISSA_BITS
from tercel_hw.float32.primitive import FLOAT32_BITS

__all__ = ["BlockExponents"]

MAGNITUDE_BITS = FLOAT32_BITS - 1


class BlockExponents(wiring.Component):
    """The largest s in 0..7 with which ``maximum * 2^s`` of a block does not exceed the row's.

    The largest magnitudes of the blocks of 64 elements are kept while a row is written. While it is
    read, those of the next block are read and compared with the row's. Magnitudes are compared as
    integers: the difference has that of the exponents, less one if the mantissa of the block's is
    the larger one, above the bits of the mantissa.

    Parameters
    ----------
    lanes
        Number of lanes, floats of an element.
    elements
        Elements of the longest row.

    Members
    -------
    write : In(1)
        An element ``i`` of the row.
    i : In(ArrayLayout(32, lanes))
    last : In(1)
        High with a row's last element.
    blocks : In(1)
        The row has blocks; otherwise ``o`` is 0. Constant like ``maxima``.
    maxima : In(ArrayLayout(32, lanes))
        The largest magnitudes of the row, constant from 2 cycles before ``begins`` until the row
        has been read.
    begins : In(1)
        Before the first element is read; at least ``LATENCY`` cycles after the last was written.
    reads : In(1)
        An element is read, the one to which ``o`` belongs.
    ends : In(1)
        High with the last element.
    o : Out(ArrayLayout(3, lanes))
        From the cycle after ``begins`` on, s of each lane.
    """

    LATENCY = 5

    write: Signal
    i: data.View
    last: Signal
    blocks: Signal
    maxima: data.View
    begins: Signal
    reads: Signal
    ends: Signal
    o: data.View

    def __init__(self, *, lanes: int, elements: int):
        self._lanes = lanes
        self._blocks = -(-elements // BLOCK)
        floats = data.ArrayLayout(FLOAT32_BITS, lanes)
        super().__init__(
            {
                "write": wiring.In(1),
                "i": wiring.In(floats),
                "last": wiring.In(1),
                "blocks": wiring.In(1),
                "maxima": wiring.In(floats),
                "begins": wiring.In(1),
                "reads": wiring.In(1),
                "ends": wiring.In(1),
                "o": wiring.Out(data.ArrayLayout(unsigned(bits_for(MOST_SHIFT)), lanes)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.peaks = peaks = memory.Memory(
            shape=data.ArrayLayout(MAGNITUDE_BITS, self._lanes),
            depth=self._blocks,
            init=[],
            attrs={"ram_style": "block"},
        )
        write, read = peaks.write_port(), peaks.read_port()
        self._gather(m, write)

        place, block = Signal(range(BLOCK)), Signal(range(self._blocks))
        next_block = Signal()
        m.d.comb += [
            next_block.eq(self.begins | (self.reads & (place == BLOCK - 1))),
            read.addr.eq(block),
        ]
        with m.If(self.reads):
            m.d.sync += place.eq(Mux(self.ends, 0, place + 1))
        with m.If(self.reads & self.ends):
            m.d.sync += block.eq(0)
        with m.Elif(next_block):
            m.d.sync += block.eq(block + 1)

        found = Signal.like(read.data, reset_less=True)
        m.d.sync += found.eq(read.data)
        for lane in range(self._lanes):
            above = Signal(MAGNITUDE_BITS - MANTISSA_BITS, name=f"above_{lane}", reset_less=True)
            zero = Signal(name=f"zero_{lane}", reset_less=True)
            difference = self.maxima[lane][:MAGNITUDE_BITS] - found[lane]
            m.d.sync += [
                above.eq(difference[MANTISSA_BITS:]),
                zero.eq(~found[lane][MANTISSA_BITS:].any()),
            ]
            exponent = Signal(self.o[lane].shape(), name=f"exponent_{lane}", reset_less=True)
            with m.If(next_block):
                most = zero | above[len(exponent) :].any()
                m.d.sync += exponent.eq(Mux(self.blocks, Mux(most, MOST_SHIFT, above), 0))
            m.d.comb += self.o[lane].eq(exponent)
        return m

    def _gather(self, m: Module, write: memory.WritePort) -> None:
        """Write the largest magnitudes of each block when its last element has come."""
        place, ended = Signal(range(BLOCK)), Signal()
        last = self.last | (place == BLOCK - 1)
        with m.If(self.write):
            m.d.sync += place.eq(Mux(self.last, 0, place + 1))
        m.d.sync += ended.eq(self.last)
        for lane in range(self._lanes):
            m.submodules[f"maximum_{lane}"] = maximum = MagnitudeMaximum(elements=1)
            m.d.comb += [
                maximum.i.valid.eq(self.write),
                maximum.i.payload.x[0].eq(self.i[lane]),
                maximum.i.payload.last.eq(last),
                maximum.o.ready.eq(1),
                write.data[lane].eq(maximum.o.payload),
                write.en.eq(maximum.o.valid),
            ]
        with m.If(write.en):
            m.d.sync += write.addr.eq(Mux(ended, 0, write.addr + 1))
