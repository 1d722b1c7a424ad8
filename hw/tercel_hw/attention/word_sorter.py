"""The switch of the cache's words to scales and rows."""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import stream, wiring

from tercel_hw.attention.unit_config import AttentionUnitConfig

__all__ = ["WordSorter"]


class WordSorter(wiring.Component):
    """Sends the words of each run to the scales or to the rows; a word a cycle, no registers.

    Parameters
    ----------
    config
        Parameters of the block.

    Members
    -------
    i_kind : In(stream.Signature(config.kind))
        A run of at least one word; taken with the last word of the previous run.
    i : In(stream.Signature(8 * word_bytes))
    o_scales : Out(stream.Signature(8 * word_bytes))
    o_rows : Out(stream.Signature(config.attention.dense.beat))
    """

    i_kind: stream.Interface
    i: stream.Interface
    o_scales: stream.Interface
    o_rows: stream.Interface

    def __init__(self, config: AttentionUnitConfig):
        self._config = config
        word = unsigned(8 * config.word_bytes)
        super().__init__(
            {
                "i_kind": wiring.In(stream.Signature(config.kind)),
                "i": wiring.In(stream.Signature(word)),
                "o_scales": wiring.Out(stream.Signature(word)),
                "o_rows": wiring.Out(stream.Signature(config.attention.dense.beat)),
            }
        )

    @property
    def config(self) -> AttentionUnitConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        run, running = Signal(self._config.kind, reset_less=True), Signal()
        ending = Signal()
        taken, ends = Signal(), Signal()
        m.d.comb += [
            self.i.ready.eq(running & Mux(run.scales, self.o_scales.ready, self.o_rows.ready)),
            self.o_scales.valid.eq(running & self.i.valid & run.scales),
            self.o_rows.valid.eq(running & self.i.valid & ~run.scales),
            self.o_scales.payload.eq(self.i.payload),
            self.o_rows.payload.eq(self.i.payload),
            taken.eq(self.i.valid & self.i.ready),
            ends.eq(taken & ending),
            self.i_kind.ready.eq(~running | ends),
        ]
        with m.If(self.i_kind.ready):
            m.d.sync += [run.eq(self.i_kind.payload), running.eq(self.i_kind.valid)]
            m.d.sync += ending.eq(self.i_kind.payload.words == 1)
        with m.Elif(taken):
            m.d.sync += [run.words.eq(run.words - 1), ending.eq(run.words == 2)]
        return m
