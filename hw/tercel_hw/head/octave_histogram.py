"""A lane's histogram of exponentials over octaves."""

from amaranth.hdl import Module, Mux, Signal, signed, unsigned
from amaranth.lib import memory, wiring

from tercel.numerics.functions import EXP2_FRACTION_BITS, exp2_significands
from tercel_hw.head.config import EXPONENT_BITS

__all__ = ["BIN_BITS", "OCTAVE_BITS", "OctaveHistogram"]

OCTAVE_BITS = EXPONENT_BITS - EXP2_FRACTION_BITS
BIN_BITS = 36
"""2^20 rows of 16-bit significands."""
SIGNIFICAND_BITS = 16


class OctaveHistogram(wiring.Component):
    """Adds the significand of 2^t to the bin of t's octave, one a cycle; a block RAM of 512 x 36.

    The bin is read in the cycle of the logit and written in the next, with a bypass for the same
    octave twice. Any number of other cycles may lie between.

    Members
    -------
    valid : In(1)
        Add ``t``.
    t : In(signed(18))
        A base-2 logit with 9 fraction bits.
    clear : In(1)
        Forget the bin ``octave``.
    octave : In(signed(9))
    bin : Out(36)
        The bin that ``octave`` named a cycle ago; not while logits are added.
    """

    valid: Signal
    t: Signal
    clear: Signal
    octave: Signal
    bin: Signal

    def __init__(self):
        super().__init__(
            {
                "valid": wiring.In(1),
                "t": wiring.In(signed(EXPONENT_BITS)),
                "clear": wiring.In(1),
                "octave": wiring.In(signed(OCTAVE_BITS)),
                "bin": wiring.Out(BIN_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.table = table = memory.Memory(
            shape=unsigned(SIGNIFICAND_BITS),
            depth=1 << EXP2_FRACTION_BITS,
            init=exp2_significands().tolist(),
        )
        m.submodules.bins = bins = memory.Memory(
            shape=unsigned(BIN_BITS), depth=1 << OCTAVE_BITS, init=[], attrs={"ram_style": "block"}
        )
        significand, write, read = table.read_port(), bins.write_port(), bins.read_port()
        address = Signal(OCTAVE_BITS)
        adding = Signal()
        # What was written last, for a read in the cycle of the write.
        recent = Signal(BIN_BITS)
        again = Signal()
        total = Signal(BIN_BITS)
        m.d.comb += [
            significand.addr.eq(self.t[:EXP2_FRACTION_BITS]),
            read.addr.eq(Mux(self.valid, self.t[EXP2_FRACTION_BITS:], self.octave)),
            total.eq(Mux(again, recent, read.data) + significand.data),
            write.addr.eq(Mux(adding, address, self.octave)),
            write.data.eq(Mux(adding, total, 0)),
            write.en.eq(adding | self.clear),
            self.bin.eq(read.data),
        ]
        m.d.sync += [
            adding.eq(self.valid),
            address.eq(read.addr),
            recent.eq(total),
            again.eq(adding & (address == read.addr)),
        ]
        return m
