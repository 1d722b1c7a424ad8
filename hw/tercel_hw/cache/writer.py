"""The writer of new rows of the KV cache to memory."""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import stream, wiring

from tercel_hw.cache.addresses import CacheAddresses
from tercel_hw.cache.config import CacheConfig
from tercel_hw.cache.scale_packer import ScalePacker
from tercel_hw.cache.transposer import Transposer
from tercel_hw.memory.fifo import FifoConfig, StreamFifo
from tercel_hw.vector import command_layout

__all__ = ["CacheWriter"]

SCALES_DEPTH = 2
"""Heads whose scales may wait for their rows: one for each bank of the transposer."""


class CacheWriter(wiring.Component):
    """Writes the keys and values of a pass's nodes behind the committed ones of the cache.

    For each KV head there is a run for each slice of the rows, which follow each other in memory,
    and a run for their scales, with strobes on half of each position's 4 bytes. No other byte is
    written. A run is requested when its first granule is available; the others follow without
    waiting for columns.

    Throughput: a head's N rows of G granules in R slices and S granules of scales leave in
    ``N*G + S + R + OVERHEAD`` cycles if runs are taken at once, while the next head comes, a column
    a cycle. G includes the granules that pad a row's last slice. Latency: the first run is offered
    ``LATENCY`` cycles after the head's last column was taken; a granule is offered from the cycle
    after its run was taken.

    Parameters
    ----------
    config
        Parameters of the block.

    Members
    -------
    i_command : In(stream.Signature(command_layout("heads")))
        One for each layer. ``nodes``, ``kv_heads`` at least 1, ``head_size`` a multiple of 16.
    i : In(stream.Signature(config.vector.column))
        The keys of each KV head, then the values; ``last`` on each head's last element.
    i_scales : In(stream.Signature(config.scales))
        One for each head of ``i``.
    o_command : Out(stream.Signature(config.writer.command))
    o : Out(stream.Signature(config.writer.granule))
        Runs and granules for a :class:`StripedWriter` or :class:`WriteMerge`.
    written : In(1)
        The memory has confirmed every granule; low from the cycle after one was taken.
    o_done : Out(stream.Signature(unsigned(0)))
        One for each command, when all of its bytes are in memory. The next command begins when it
        has been taken.
    """

    LATENCY = Transposer.LATENCY
    OVERHEAD = 4

    i_command: stream.Interface
    i: stream.Interface
    i_scales: stream.Interface
    o_command: stream.Interface
    o: stream.Interface
    written: Signal
    o_done: stream.Interface

    def __init__(self, config: CacheConfig):
        self._config = config
        super().__init__(
            {
                "i_command": wiring.In(stream.Signature(command_layout("heads"))),
                "i": wiring.In(stream.Signature(config.vector.column)),
                "i_scales": wiring.In(stream.Signature(config.scales)),
                "o_command": wiring.Out(stream.Signature(config.writer.command)),
                "o": wiring.Out(stream.Signature(config.writer.granule)),
                "written": wiring.In(1),
                "o_done": wiring.Out(stream.Signature(unsigned(0))),
            }
        )

    @property
    def config(self) -> CacheConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        m.submodules.transposer = transposer = Transposer(config)
        m.submodules.packer = packer = ScalePacker(config)
        m.submodules.addresses = addresses = CacheAddresses(config)
        wiring.connect(m, wiring.flipped(self.i), transposer.i)
        command = Signal(command_layout("heads"), reset_less=True)
        value, scaling, ended = Signal(), Signal(), Signal()
        m.d.comb += [addresses.command.eq(command), addresses.value.eq(value)]
        self._feed_scales(m, command, value, packer.i, transposer.i_rows)
        copying = self._copy(m, scaling, (transposer.o, packer.o), ended)

        run, head = self.o_command, Signal.like(command.kv_heads)
        m.d.comb += run.payload.eq(Mux(scaling, addresses.scales, addresses.rows))
        with m.FSM():
            with m.State("idle"):
                m.d.comb += self.i_command.ready.eq(1)
                m.d.sync += [command.eq(self.i_command.payload), value.eq(0)]
                with m.If(self.i_command.valid):
                    m.next = "block"
            with m.State("block"):
                m.d.comb += addresses.block.eq(1)
                m.d.sync += head.eq(0)
                m.next = "offset"
            with m.State("offset"):
                m.d.comb += addresses.offset.eq(1)
                m.next = "head"
            with m.State("head"):
                # The queue is ready: the rows of the previous head have left.
                m.d.comb += [transposer.i_rows.valid.eq(1), addresses.head.eq(1)]
                m.next = "run"
            with m.State("run"):
                m.d.comb += run.valid.eq(Mux(scaling, packer.o.valid, transposer.o.valid))
                with m.If(run.valid & run.ready):
                    m.next = "copy"
            with m.State("copy"):
                m.d.comb += copying.eq(1)
                with m.If(ended):
                    m.d.comb += addresses.next_slice.eq(~scaling)
                    m.d.sync += scaling.eq(~scaling & addresses.last)
                    m.next = "run"
                with m.If(ended & scaling):
                    m.d.comb += addresses.next_head.eq(1)
                    m.d.sync += head.eq(head + 1)
                    m.next = "head"
                    with m.If(head + 1 == command.kv_heads):
                        m.d.sync += value.eq(1)
                        m.next = "block"
                        with m.If(value):
                            m.next = "confirm"
            with m.State("confirm"):
                with m.If(self.written):
                    m.next = "done"
            with m.State("done"):
                m.d.comb += self.o_done.valid.eq(1)
                with m.If(self.o_done.ready):
                    m.next = "idle"
        return m

    def _feed_scales(self, m: Module, command, value, packer, rows) -> None:
        """Queue the scales; give the packer those of a head when its rows begin to leave."""
        config = self._config
        m.submodules.scales = scales = StreamFifo(
            config=FifoConfig(
                width=config.scales.size,
                depth=SCALES_DEPTH,
                read_latency=0,
                ram_style="distributed",
            )
        )
        wanted = Signal()
        m.d.comb += [
            scales.i.payload.eq(self.i_scales.payload.as_value()),
            scales.i.valid.eq(self.i_scales.valid),
            self.i_scales.ready.eq(scales.i.ready),
            rows.payload.nodes.eq(command.nodes),
            rows.payload.granules.eq(command.head_size >> config.byte_bits),
            rows.payload.full.eq(command.full),
            rows.payload.half.eq(command.half),
            packer.valid.eq(scales.o.valid & wanted),
            scales.o.ready.eq(packer.ready & wanted),
            packer.payload.scales.eq(scales.o.payload),
            packer.payload.nodes.eq(command.nodes),
            packer.payload.place.eq(command.base[: config.position_bits]),
            packer.payload.value.eq(value),
        ]
        with m.If(rows.valid):
            m.d.sync += wanted.eq(1)
        with m.Elif(packer.valid & packer.ready):
            m.d.sync += wanted.eq(0)

    def _copy(self, m: Module, scaling, sources, ended) -> Signal:
        """Pass a run's granules while the returned signal is high; ``ended`` with the last."""
        copying = Signal()
        for chosen, source in zip((~scaling, scaling), sources, strict=True):
            with m.If(chosen & copying):
                m.d.comb += [
                    self.o.valid.eq(source.valid),
                    self.o.payload.data.eq(source.payload.data),
                    self.o.payload.strobe.eq(source.payload.strobe),
                    source.ready.eq(self.o.ready),
                    ended.eq(source.valid & self.o.ready & source.payload.last),
                ]
        return copying
