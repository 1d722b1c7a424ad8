"""The runs of the cache that attention reads."""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFO

from tercel_hw.attention.unit_config import SCALES_BYTES, AttentionUnitConfig

__all__ = ["CacheReader"]

RUNS = 16
"""Runs asked for whose words have not all come."""


class CacheReader(wiring.Component):
    """Asks for the keys and values of one KV head after the other, and says what will come.

    The cache of a KV head is a block from word ``cache + head * head_stride``: keys, values from
    ``row_words`` on, scales from ``2 * row_words`` on. For each head: tile by tile, scales and
    keys; then all values.

    Throughput: a run a cycle, two cycles more between heads. The first run is offered ``LATENCY``
    cycles after the command is taken, or 3 after ``i_written``, whichever is later.

    Parameters
    ----------
    config
        The shape.

    Members
    -------
    i_command : In(stream.Signature(config.command))
        ``kv_heads`` and ``past + nodes`` at least 1.
    i_written : In(stream.Signature(unsigned(0)))
        The pass's own rows are in memory; one for each command, before its first run.
    o_run : Out(stream.Signature(config.run))
    o_kind : Out(stream.Signature(config.kind))
        The runs' lengths in the same order, and whether they are scales.
    """

    LATENCY = 7

    i_command: stream.Interface
    i_written: stream.Interface
    o_run: stream.Interface
    o_kind: stream.Interface

    def __init__(self, config: AttentionUnitConfig):
        self._config = config
        super().__init__(
            {
                "i_command": wiring.In(stream.Signature(config.command)),
                "i_written": wiring.In(stream.Signature(unsigned(0))),
                "o_run": wiring.Out(stream.Signature(config.run)),
                "o_kind": wiring.Out(stream.Signature(config.kind)),
            }
        )

    @property
    def config(self) -> AttentionUnitConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        run, kind = config.run.members, config.kind
        m.submodules.kinds = kinds = SyncFIFO(width=kind.size, depth=RUNS)
        m.d.comb += [
            self.o_kind.valid.eq(kinds.r_rdy),
            self.o_kind.payload.eq(kinds.r_data),
            kinds.r_en.eq(self.o_kind.ready),
        ]
        command = Signal(config.command)
        word_bits = config.word_bytes.bit_length() - 1
        positions = Signal(range(config.attention.positions + 1))
        size = Signal(config.attention.dense.command.members["elements"])
        product, row_bytes = (Signal(unsigned(len(positions) + len(size))) for _ in range(2))
        words, scale_words = Signal(run["words"]), Signal(run["words"])
        tile_words = Signal(run["words"])

        def in_words(count):
            return (count + (config.word_bytes - 1)) >> word_bits

        base, scales_at, keys_at = (Signal(run["address"], name=f"at{i}") for i in range(3))
        scales_left, keys_left = Signal(run["words"]), Signal(run["words"])
        issued, asked, address, scales = Signal(), Signal(kind), Signal(run["address"]), Signal()
        can = Signal()
        m.d.comb += can.eq((~self.o_run.valid | self.o_run.ready) & kinds.w_rdy)
        with m.If(self.o_run.ready):
            m.d.sync += self.o_run.valid.eq(0)
        with m.If(issued):
            m.d.sync += [
                self.o_run.valid.eq(1),
                self.o_run.payload.address.eq(address),
                self.o_run.payload.words.eq(asked.words),
            ]
        m.d.comb += [asked.scales.eq(scales), kinds.w_en.eq(issued), kinds.w_data.eq(asked)]

        m.d.sync += [product.eq(positions * size), row_bytes.eq(product)]
        with m.FSM():
            with m.State("idle"):
                m.d.comb += self.i_command.ready.eq(1)
                offered = self.i_command.payload
                m.d.sync += [
                    command.eq(offered),
                    positions.eq(offered.past + offered.nodes),
                    size.eq(offered.head_size),
                    base.eq(offered.cache),
                ]
                with m.If(self.i_command.valid):
                    m.next = "multiply"
            with m.State("multiply"):
                m.next = "product"
            with m.State("product"):
                m.next = "round"
            with m.State("round"):
                m.d.sync += [
                    words.eq(in_words(row_bytes)),
                    scale_words.eq(in_words(positions * SCALES_BYTES)),
                    tile_words.eq((size * config.tile) >> word_bits),
                ]
                m.next = "written"
            with m.State("written"):
                m.d.comb += self.i_written.ready.eq(1)
                with m.If(self.i_written.valid):
                    m.next = "head"
            with m.State("head"):
                m.d.sync += [
                    keys_at.eq(base),
                    keys_left.eq(words),
                    scales_at.eq(base + (command.row_words << 1)),
                    scales_left.eq(scale_words),
                ]
                m.next = "scales"
            with m.State("scales"):
                whole = scales_left <= config.tile_scale_words
                m.d.comb += [
                    asked.words.eq(Mux(whole, scales_left, config.tile_scale_words)),
                    address.eq(scales_at),
                    scales.eq(1),
                    issued.eq(can),
                ]
                with m.If(can):
                    m.d.sync += [
                        scales_at.eq(scales_at + config.tile_scale_words),
                        scales_left.eq(scales_left - config.tile_scale_words),
                    ]
                    m.next = "keys"
            with m.State("keys"):
                whole = keys_left <= tile_words
                m.d.comb += [
                    asked.words.eq(Mux(whole, keys_left, tile_words)),
                    address.eq(keys_at),
                    issued.eq(can),
                ]
                with m.If(can):
                    m.d.sync += [
                        keys_at.eq(keys_at + tile_words),
                        keys_left.eq(keys_left - tile_words),
                    ]
                    with m.If(whole):
                        m.next = "values"
                    with m.Else():
                        m.next = "scales"
            with m.State("values"):
                m.d.comb += [
                    asked.words.eq(words),
                    address.eq(base + command.row_words),
                    issued.eq(can),
                ]
                with m.If(can):
                    m.d.sync += [
                        base.eq(base + command.head_stride),
                        command.kv_heads.eq(command.kv_heads - 1),
                    ]
                    with m.If(command.kv_heads == 1):
                        m.next = "idle"
                    with m.Else():
                        m.next = "head"
        return m
