"""The sums of the dot products of rows, over the beats of their slices."""

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import data, memory, wiring

from tercel_hw.dense.config import HALVES, DenseConfig

__all__ = ["DotSums", "beat_layout"]


def beat_layout(config: DenseConfig) -> data.StructLayout:
    """Return the layout of a dot beat's description.

    ``start`` marks the first slice of its rows, ``final`` the last, ``half`` a half slice, of
    ``row`` and, if ``pair``, of the row after it; ``row`` counts within the tile.
    """
    return data.StructLayout(
        {"start": 1, "final": 1, "half": 1, "pair": 1, "row": range(config.tile)}
    )


class DotSums(wiring.Component):
    """Accumulates the slices of rows, a beat a cycle; stores the sums of a tile's rows.

    A row's sum leaves ``LATENCY`` cycles after the sums of its final beat have come, and that of a
    half slice's second row a cycle later. A final beat of two rows must not be followed by another
    beat at once; two beats of a row must be ``LATENCY`` cycles apart.

    Parameters
    ----------
    config
        Parameters of the engine.

    Members
    -------
    valid : In(1)
    beat : In(beat_layout(config))
    chains : In(config.chain_totals)
        The chains' sums.
    o_valid : Out(1)
    o : Out(config.sums)
    """

    LATENCY = 3

    valid: Signal
    beat: data.View
    chains: data.View
    o_valid: Signal
    o: data.View

    def __init__(self, config: DenseConfig):
        self._config = config
        super().__init__(
            {
                "valid": wiring.In(1),
                "beat": wiring.In(beat_layout(config)),
                "chains": wiring.In(config.chain_totals),
                "o_valid": wiring.Out(1),
                "o": wiring.Out(config.sums),
            }
        )

    @property
    def config(self) -> DenseConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        lanes = range(config.nodes)
        beats = [self.beat]
        valids = [self.valid]
        for age in range(1, self.LATENCY + 1):
            beat = Signal(beat_layout(config), name=f"beat{age}", reset_less=True)
            valid = Signal(name=f"valid{age}")
            m.d.sync += [beat.eq(beats[-1]), valid.eq(valids[-1])]
            beats.append(beat)
            valids.append(valid)

        halves = [self._halves(m, lane) for lane in lanes]
        low, high, before = (
            Signal(config.sums, name=name, reset_less=True) for name in ("low", "high", "before")
        )
        whole = Signal(config.sums, reset_less=True)
        other = Signal(config.sums, reset_less=True)
        kept = self._kept(m, beats[1], beats[-1], valids[-1], whole, other)
        for lane in lanes:
            lower, upper = halves[lane]
            m.d.sync += [
                low[lane].eq(lower + Mux(beats[1].half, 0, upper)),
                high[lane].eq(upper),
                before[lane].eq(Mux(beats[1].start, 0, kept[lane])),
                whole[lane].eq(low[lane] + before[lane]),
                other[lane].eq(high[lane]),
            ]
        final, second = beats[-1], Signal()
        m.d.sync += second.eq(valids[-1] & final.final & final.half & final.pair)
        kept_other = Signal.like(other, reset_less=True)
        m.d.sync += kept_other.eq(other)
        m.d.comb += [
            self.o_valid.eq((valids[-1] & final.final) | second),
            self.o.eq(Mux(second, kept_other, whole)),
        ]
        return m

    def _halves(self, m: Module, lane: int) -> tuple[Value, Value]:
        """Return a lane's sums of products of the lower and of the upper half of a beat."""
        config = self._config
        bits = config.sum_bits
        sums = []
        for half in range(HALVES):
            chains = [
                self.chains[chain][lane][:bits].as_signed()
                for chain in range(config.chains)
                if chain * HALVES // config.chains == half
            ]
            total = Signal(signed(bits), name=f"half{lane}_{half}", reset_less=True)
            m.d.sync += total.eq(sum(chains[1:], chains[0]))
            sums.append(total)
        return sums[0], sums[1]

    def _kept(self, m: Module, read, written, write, whole, other) -> data.View:
        """Add the memories of even and odd rows' sums; return the sums of the read row."""
        config = self._config
        found = []
        for parity, value in enumerate((whole, Mux(written.half, other, whole))):
            m.submodules[f"kept{parity}"] = store = memory.Memory(
                shape=config.sums,
                depth=config.tile // 2,
                init=[],
                attrs={"ram_style": "distributed"},
            )
            port, view = store.write_port(), store.read_port(domain="comb")
            mine = written.half | (written.row[0] == parity)
            m.d.comb += [
                port.addr.eq(written.row[1:]),
                port.data.eq(value),
                port.en.eq(write & ~written.final & mine),
                view.addr.eq(read.row[1:]),
            ]
            found.append(view.data)
        kept = Signal(config.sums)
        m.d.comb += kept.eq(Mux(read.row[0], found[1], found[0]))
        return kept
