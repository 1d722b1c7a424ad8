"""The buffer that joins each element of a head with its partner in the rotation."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, memory, stream, wiring

from tercel_hw.vector.config import VectorConfig

__all__ = ["PairBuffer"]


class PairBuffer(wiring.Component):
    """Delivers elements of heads in order; element j comes with element j + half or j - half.

    Each half of a head has a memory; both are read at one address for a pair. The lower one holds
    two heads, because the next head's lower half is written while the upper half is read; the upper
    one is free in time.

    Throughput: an element in and an element out a cycle, heads back to back. Element j is offered
    ``LATENCY`` cycles after element j + half, counted into the next head, was taken; the upper half
    also without a next head.

    Parameters
    ----------
    config
        Parameters of the vector unit.

    Members
    -------
    half : In(range(config.head_size // 2 + 1))
        Half a head's size, at least 2; constant while the buffer holds elements.
    i : In(stream.Signature(config.floats))
    o : Out(stream.Signature(StructLayout({"low": ..., "high": ..., "index": ..., "upper": 1})))
        Elements ``index`` of both halves; the element is that of the upper half if ``upper``.
    """

    LATENCY = 2

    half: Signal
    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: VectorConfig):
        self._config = config
        half = config.head_size // 2
        pair = data.StructLayout(
            {"low": config.floats, "high": config.floats, "index": range(half), "upper": 1}
        )
        super().__init__(
            {
                "half": wiring.In(range(half + 1)),
                "i": wiring.In(stream.Signature(config.floats)),
                "o": wiring.Out(stream.Signature(pair)),
            }
        )

    @property
    def config(self) -> VectorConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        half = config.head_size // 2
        # A power of two, so that the second head's place is one address bit.
        place = 1 << (half - 1).bit_length()
        m.submodules.low = low = memory.Memory(shape=config.floats, depth=2 * place, init=[])
        m.submodules.high = high = memory.Memory(shape=config.floats, depth=half, init=[])
        low_write, low_read = low.write_port(), low.read_port()
        high_write, high_read = high.write_port(), high.read_port()

        taken, issued, enable = Signal(), Signal(), Signal()
        into, upper_in, head_in = self._counters(m, "in", taken, half)
        index, upper, head = self._counters(m, "out", issued, half)
        # Elements taken and not yet issued; more than a head would overwrite the upper half.
        ahead = Signal(range(config.head_size + 1))
        m.d.comb += [
            self.i.ready.eq(ahead < (self.half << 1)),
            taken.eq(self.i.valid & self.i.ready),
            enable.eq(~self.o.valid | self.o.ready),
            issued.eq(enable & (upper | (ahead > self.half))),
            low_write.data.eq(self.i.payload),
            high_write.data.eq(self.i.payload),
            low_write.en.eq(taken & ~upper_in),
            high_write.en.eq(taken & upper_in),
            low_write.addr.eq(Mux(head_in, place, 0) | into),
            high_write.addr.eq(into),
            low_read.en.eq(issued),
            high_read.en.eq(issued),
            low_read.addr.eq(Mux(head, place, 0) | index),
            high_read.addr.eq(index),
            self.o.payload.low.eq(low_read.data),
            self.o.payload.high.eq(high_read.data),
        ]
        m.d.sync += ahead.eq(ahead + taken - issued)
        with m.If(enable):
            m.d.sync += [
                self.o.valid.eq(issued),
                self.o.payload.index.eq(index),
                self.o.payload.upper.eq(upper),
            ]
        return m

    def _counters(
        self, m: Module, name: str, step: Signal, half: int
    ) -> tuple[Signal, Signal, Signal]:
        """Return an element's place: index in its half, half (1: upper) and parity of its head."""
        index = Signal(range(half), name=f"index_{name}")
        upper, head = Signal(name=f"upper_{name}"), Signal(name=f"head_{name}")
        with m.If(step):
            m.d.sync += index.eq(index + 1)
            with m.If(index + 1 == self.half):
                m.d.sync += [index.eq(0), upper.eq(~upper), head.eq(head ^ upper)]
        return index, upper, head
