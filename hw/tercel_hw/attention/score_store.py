"""The memory of a sweep's scores, with their maxima."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, memory, stream, wiring

from tercel.numerics.attention import SCORE_BITS
from tercel_hw.attention.config import BFLOAT16_BITS, AttentionConfig

__all__ = ["ScoreStore", "exponent_of", "maxima_layout", "visible_lanes"]

LOWEST = -(1 << (SCORE_BITS - 1))


def maxima_layout(config: AttentionConfig) -> data.StructLayout:
    """Layout of the maxima over a lane's visible positions: score, biased value-scale exponent."""
    exponents = data.ArrayLayout(unsigned(8), config.nodes)
    return data.StructLayout({"scores": config.scores, "exponents": exponents})


def exponent_of(scale: Value) -> Value:
    """Return the biased exponent of a bfloat16."""
    return scale[7:15]


def visible_lanes(masks: data.View, base: Value, position: Value) -> Value:
    """Return a bit a lane, set if it sees the position; ``masks`` are the lanes' ancestors."""
    nodes = masks.shape().length
    node = (position - base)[: max(nodes - 1, 1).bit_length()]
    return Cat(
        Mux(position < base, masks[lane].any(), masks[lane].bit_select(node, 1))
        for lane in range(nodes)
    )


class ScoreStore(wiring.Component):
    """Stores the scores of a sweep and computes their maxima; a position a cycle.

    The scores of the next sweep are taken from the second cycle after the transfer of `o` on. Those
    of this sweep can be read until then, and after it as long as reads keep ahead of the next
    sweep's writes.

    Parameters
    ----------
    config
        Parameters of the block.

    Members
    -------
    positions, base : In(range(positions + 1))
        Number of positions of each sweep, and of those that every node sees.
    masks : In(config.ancestors)
        For each lane, the ancestors of its node; zeros where there is none.
    i : In(stream.Signature(config.scored))
    o : Out(stream.Signature(maxima_layout(config)))
        Maxima of a sweep; offered in the cycle after its last score was taken.
    read : In(range(positions))
    scored : Out(config.scored)
        Scores of the position that ``read`` had ``LATENCY`` cycles ago.
    """

    LATENCY = 2

    positions: Signal
    base: Signal
    masks: data.View
    i: stream.Interface
    o: stream.Interface
    read: Signal
    scored: data.View

    def __init__(self, config: AttentionConfig):
        self._config = config
        super().__init__(
            {
                "positions": wiring.In(range(config.positions + 1)),
                "base": wiring.In(range(config.positions + 1)),
                "masks": wiring.In(config.ancestors),
                "i": wiring.In(stream.Signature(config.scored)),
                "o": wiring.Out(stream.Signature(maxima_layout(config))),
                "read": wiring.In(range(config.positions)),
                "scored": wiring.Out(config.scored),
            }
        )

    @property
    def config(self) -> AttentionConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        position = Signal(range(config.positions))
        taken, ends, moved = Signal(), Signal(), Signal()
        # The first read of the sweep comes in the cycle after its maxima were taken: no write yet,
        # because it would meet the read at the same address.
        m.d.sync += moved.eq(self.o.valid & self.o.ready)
        m.d.comb += [
            self.i.ready.eq(~self.o.valid & ~moved),
            taken.eq(self.i.valid & self.i.ready),
            ends.eq(taken & (position + 1 == self.positions)),
        ]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(taken):
            m.d.sync += position.eq(Mux(ends, 0, position + 1))
            m.d.sync += self.o.valid.eq(ends)
        self._store(m, taken, position)

        visible = visible_lanes(self.masks, self.base, position)
        first = position == 0
        largest = Signal(maxima_layout(config), reset_less=True)
        m.d.comb += self.o.payload.eq(largest)
        score = self.i.payload.scores
        exponent = exponent_of(self.i.payload.value_scale)
        for lane in range(config.nodes):
            sees = visible[lane]
            greater = sees & (first | (score[lane] > largest.scores[lane]))
            higher = sees & (first | (exponent > largest.exponents[lane]))
            with m.If(taken & (first | greater)):
                m.d.sync += largest.scores[lane].eq(Mux(greater, score[lane], LOWEST))
            with m.If(taken & (first | higher)):
                m.d.sync += largest.exponents[lane].eq(Mux(higher, exponent, 0))
        return m

    def _store(self, m: Module, taken: Signal, position: Signal) -> None:
        config = self._config
        attrs = {} if config.ram_style is None else {"ram_style": config.ram_style}
        parts = (("scores", config.scores, attrs), ("value_scale", unsigned(BFLOAT16_BITS), {}))
        for name, shape, style in parts:
            store = memory.Memory(shape=shape, depth=config.positions, init=[], attrs=style)
            m.submodules[name] = store
            write, read = store.write_port(), store.read_port()
            # The output register of the UltraRAM; a subtraction follows.
            found = Signal(shape, name=f"found_{name}", reset_less=True)
            m.d.sync += found.eq(read.data)
            m.d.comb += [
                write.addr.eq(position),
                write.data.eq(self.i.payload[name]),
                write.en.eq(taken),
                read.addr.eq(self.read),
                self.scored[name].eq(found),
            ]
