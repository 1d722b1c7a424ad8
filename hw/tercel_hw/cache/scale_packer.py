"""The packer of a head's scales into granules."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring

from tercel_hw.cache.config import BFLOAT16_BITS, CacheConfig

__all__ = ["ScalePacker"]


class ScalePacker(wiring.Component):
    """Packs the scales of consecutive positions, each into its half of a position's 4 bytes.

    The strobes exclude the other halves and the other positions of a granule.

    Throughput: one granule a cycle. Latency: ``1 + config.positions - place`` cycles from the
    transfer of the scales to the offer of their first granule.

    Parameters
    ----------
    config
        Parameters of the block.

    Members
    -------
    i : In(stream.Signature(config.scale_rows))
        A head's scales; at least one node.
    o : Out(stream.Signature(config.piece))
        Their granules; ``last`` with a head's last.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: CacheConfig):
        self._config = config
        super().__init__(
            {
                "i": wiring.In(stream.Signature(config.scale_rows)),
                "o": wiring.Out(stream.Signature(config.piece)),
            }
        )

    @property
    def config(self) -> CacheConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, rows, piece = self._config, self.i.payload, self.o.payload
        positions, nodes = config.positions, config.vector.nodes
        # Shift register: the lowest places are the granule to be offered; scales enter above.
        places = [
            Signal(BFLOAT16_BITS, name=f"place{index}", reset_less=True)
            for index in range(positions + nodes)
        ]
        used = Signal(positions + nodes, reset_less=True)
        shifts = Signal(range(positions + 1))
        value = Signal(reset_less=True)
        # These follow the ones above: scales are held, a granule is offered, it is the last.
        busy, offers, last = Signal(), Signal(), Signal(reset_less=True)

        def shift(count: int) -> None:
            m.d.sync += [used.eq(used >> count), last.eq(~used[positions + count :].any())]
            m.d.sync += [low.eq(high) for low, high in zip(places, places[count:], strict=False)]

        m.d.comb += [
            self.i.ready.eq(~busy),
            self.o.valid.eq(offers),
            piece.data.eq(Cat(place.replicate(2) for place in places[:positions])),
            piece.last.eq(last),
        ]
        halves = Cat(~value, ~value, value, value)
        for index in range(positions):
            part = piece.strobe.word_select(index, len(halves))
            m.d.comb += part.eq(halves & used[index].replicate(len(halves)))
        with m.If(shifts != 0):
            m.d.sync += [shifts.eq(shifts - 1), offers.eq(shifts == 1)]
            shift(1)
        with m.Elif(offers & self.o.ready):
            m.d.sync += [offers.eq(~last), busy.eq(~last)]
            shift(positions)
        with m.If(self.i.valid & self.i.ready):
            lanes = Signal(nodes)
            m.d.comb += lanes.eq(Cat(lane < rows.nodes for lane in range(nodes)))
            m.d.sync += [
                busy.eq(1),
                value.eq(rows.value),
                shifts.eq(positions - rows.place),
                used.eq(lanes << positions),
            ]
            m.d.sync += [
                place.eq(scale)
                for place, scale in zip(places[positions:], rows.scales, strict=True)
            ]
        return m
