"""The lanes' histograms of exponentials by octave."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, memory, wiring

from tercel.numerics.functions import EXP2_FRACTION_BITS, exp2_significands
from tercel_hw.float32.stages import Stages
from tercel_hw.head.config import EXPONENT_BITS, OCTAVE_BITS, HeadConfig

__all__ = ["BINS", "OctaveHistogram", "octave_of"]

BIN_BITS = 36
"""Width of a bin: 2^20 rows of 16-bit significands."""
INDEX_BITS = 5
BINS = 1 << INDEX_BITS
"""Bins of a lane, for the window of 29 octaves."""
SIGNIFICAND_BITS = 16


class OctaveHistogram(wiring.Component):
    """Adds the significand of 2^t to the bin of t's octave, one a cycle.

    Only a window below the highest octave matters. So a lane has 32 bins, indexed modulo 32, each
    with the octave's upper bits as a tag: a higher octave replaces a lower one, and a lower one is
    dropped. The stages: read; a register behind the block RAM; compare, add and write. So a bin is
    written two cycles after it was read, with bypasses for the two operations in between. Idle
    cycles may lie between logits.

    Parameters
    ----------
    config
        Parameters of the block.

    Members
    -------
    lane : In(range(config.nodes))
    add : In(1)
        Add 2^t to the lane's histogram.
    t : In(signed(18))
        A base-2 logit with 9 fraction bits.
    take : In(1)
        Read the bin ``octave`` of the lane and clear it; not while ``add``.
    octave : In(9)
        Unsigned, from the lowest on.
    bin : Out(36)
        Bin of the ``octave`` of ``LATENCY`` cycles ago; zero if another octave had its place.
    """

    LATENCY = 2

    lane: Signal
    add: Signal
    t: Signal
    take: Signal
    octave: Signal
    bin: Signal

    def __init__(self, config: HeadConfig):
        self._config = config
        super().__init__(
            {
                "lane": wiring.In(range(config.nodes)),
                "add": wiring.In(1),
                "t": wiring.In(signed(EXPONENT_BITS)),
                "take": wiring.In(1),
                "octave": wiring.In(OCTAVE_BITS),
                "bin": wiring.Out(BIN_BITS),
            }
        )

    @property
    def config(self) -> HeadConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        nodes = self._config.nodes
        m.submodules.table = table = memory.Memory(
            shape=unsigned(SIGNIFICAND_BITS),
            depth=1 << EXP2_FRACTION_BITS,
            init=exp2_significands().tolist(),
            attrs={"ram_style": "block"},
        )
        word = data.StructLayout({"bin": BIN_BITS, "tag": OCTAVE_BITS - INDEX_BITS})
        m.submodules.bins = bins = memory.Memory(
            shape=word, depth=nodes * BINS, init=[], attrs={"ram_style": "block"}
        )
        significand, write, read = table.read_port(), bins.write_port(), bins.read_port()
        octave = Mux(self.add, octave_of(self.t), self.octave)
        # The last write, for the two operations that have read before it.
        recent, stored = Signal(word, reset_less=True), Signal(word)
        written, wrote = Signal.like(read.addr, reset_less=True), Signal()
        stages = Stages(m, Const(1))
        reads = stages(tag=octave[INDEX_BITS:], address=read.addr)
        bypassed = Mux(wrote & (written == reads.address), recent.as_value(), read.data.as_value())
        now = Signal.like(read.addr, name="now", reset_less=True)
        held = stages(
            tag=reads.tag,
            again=reads.address == now,
            word=bypassed,
            significand=significand.data,
        )
        adds, takes = (
            stages.delay(value, self.LATENCY, name, reset=True)
            for name, value in (("add", self.add), ("take", self.take))
        )
        same = stored.tag == held.tag
        m.d.comb += [
            significand.addr.eq(self.t[:EXP2_FRACTION_BITS]),
            read.addr.eq(Cat(octave[:INDEX_BITS], self.lane)),
            stored.eq(Mux(wrote & held.again, recent.as_value(), held.word)),
            self.bin.eq(Mux(same, stored.bin, 0)),
            write.addr.eq(now),
            write.en.eq(takes | (adds & (stored.tag <= held.tag))),
        ]
        with m.If(adds):
            total = stored.bin + held.significand
            m.d.comb += [
                write.data.tag.eq(held.tag),
                write.data.bin.eq(Mux(same, total, held.significand)),
            ]
        m.d.sync += [
            now.eq(reads.address),
            recent.eq(write.data),
            written.eq(now),
            wrote.eq(write.en),
        ]
        return m


def octave_of(t: Value) -> Value:
    """Return the integer part of a base-2 logit, counted from the lowest one on."""
    octave = t[EXP2_FRACTION_BITS:]
    return Cat(octave[:-1], ~octave[-1])
