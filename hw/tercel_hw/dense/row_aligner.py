"""Dense bytes to rows that start on a beat."""

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring

from tercel_hw.dense.config import DenseConfig

__all__ = ["RowAligner"]


class RowAligner(wiring.Component):
    """Cuts rows out of words that hold them without gaps, in granules of 16 bytes at most.

    This is how keys and values lie in DDR: ``[position][head size]`` per KV head, the first row at
    the start of a word; ``elements`` is a multiple of the granule. A row of 96 bytes leaves
    as beats of 64 and 32; the rest of its last beat is zero. What remains of the walk's last word
    is dropped.

    Throughput: one beat a cycle while words come (a row of 96 bytes takes 2 cycles and 1.5 words);
    latency 1. A walk's first word is taken after the walk before has left.

    Parameters
    ----------
    config
        The engine's shape.

    Members
    -------
    i_command : In(stream.Signature(config.command))
        ``elements`` and ``rows`` of the walk; the rest is ignored.
    i : In(stream.Signature(config.beat))
        Words of ``macs`` bytes.
    o : Out(stream.Signature(config.beat))
    """

    i_command: stream.Interface
    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: DenseConfig):
        self._config = config
        super().__init__(
            {
                "i_command": wiring.In(stream.Signature(config.command)),
                "i": wiring.In(stream.Signature(config.beat)),
                "o": wiring.Out(stream.Signature(config.beat)),
            }
        )

    @property
    def config(self) -> DenseConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        granules = config.macs // config.granule
        granule = data.ArrayLayout(unsigned(8), config.granule)
        held = Signal(data.ArrayLayout(granule, 2 * granules), reset_less=True)
        level = Signal(range(2 * granules + 1))
        most = range(config.most_elements // config.granule + 1)
        width, left = Signal(most), Signal(most)
        rows = Signal(config.rows.bit_length())
        running, sent, taken, ends, lacks = (Signal() for _ in range(5))
        size = Signal(range(granules + 1))

        m.d.comb += [
            self.i_command.ready.eq(~running),
            size.eq(Mux(left > granules, granules, left)),
            self.o.valid.eq(running & (level >= size)),
            sent.eq(self.o.valid & self.o.ready),
            ends.eq(sent & (left == size)),
            self.i.ready.eq(running & lacks & (level <= granules)),
            taken.eq(self.i.valid & self.i.ready),
        ]
        # A level of up to a word holds the end of the walk only in its last few rows.
        m.d.comb += lacks.eq(1)
        with m.Switch(rows):
            for count in range(1, granules + 1):
                with m.Case(count):
                    m.d.comb += lacks.eq(level < left + (count - 1) * width)
        for index in range(granules):
            kept = Mux(index < size, held[index], 0)
            m.d.comb += Cat(*self._bytes(index)).eq(kept)

        offered = self.i_command.payload
        with m.If(self.i_command.valid & self.i_command.ready):
            elements = offered.elements[config.granule.bit_length() - 1 :]
            m.d.sync += [
                running.eq(1),
                rows.eq(offered.rows),
                width.eq(elements),
                left.eq(elements),
                level.eq(0),
            ]
        with m.Elif(running):
            leaving = Mux(sent, size, 0)
            m.d.sync += level.eq(level + Mux(taken, granules, 0) - leaving)
            self._shift(m, held, level, leaving, taken)
            with m.If(sent):
                m.d.sync += left.eq(left - size)
            with m.If(ends):
                m.d.sync += [left.eq(width), rows.eq(rows - 1), running.eq(rows != 1)]
        return m

    def _bytes(self, granule: int) -> list:
        """The output's bytes of a granule."""
        size = self._config.granule
        return [self.o.payload[granule * size + index] for index in range(size)]

    def _shift(self, m: Module, held, level, leaving, taken) -> None:
        """What leaves makes room; a word goes behind what remains."""
        granules = self._config.macs // self._config.granule
        width = 8 * self._config.granule
        after = Signal(len(held.as_value()))
        m.d.comb += after.eq(held.as_value() >> leaving * width)
        remaining = level - leaving
        word = self.i.payload.as_value()
        with m.If(taken):
            for place in range(granules + 1):
                with m.If(remaining == place):
                    below = after[: place * width]
                    m.d.sync += held.eq(Cat(below, word))
        with m.Else():
            m.d.sync += held.eq(after)
