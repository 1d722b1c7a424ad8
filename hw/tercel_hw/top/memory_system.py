"""The memory system: channels and writers over all memory ports."""

from typing import Any

from amaranth.hdl import Cat, Module, ResetInserter, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from tercel_hw.memory import (
    Axi4Interface,
    Axi4Signature,
    CommandMerge,
    FetchChannel,
    FetchConfig,
    RoutedReader,
    StripedWriter,
    WriteMerge,
    connect_channels,
)
from tercel_hw.top.config import CHANNELS, AcceleratorConfig

__all__ = ["MemorySystem", "channel_config"]

DEPTHS = {"program": 32, "rows": 32, "vector": 128, "cache": 512}
"""Words of each channel's FIFO; the tape's is a parameter."""
STEPS = {"program": 16, "rows": 16}
"""Words of a channel's step where it is less than a burst."""
BLOCK = 128
"""Number of words from which a FIFO is block RAM."""
ULTRA = 4096
"""Number of words from which it is UltraRAM, on a device that has it."""


def channel_config(config: AcceleratorConfig, name: str) -> FetchConfig:
    """Return the configuration of a channel: depth, step and kind of memory."""
    step = min(config.burst_beats, STEPS.get(name, config.burst_beats))
    depth = max(2 * step, DEPTHS.get(name, config.tape_words))
    large = "ultra" if config.ultra_ram and depth >= ULTRA else "block"
    style = large if depth >= BLOCK else "distributed"
    return FetchConfig(striped=config.routed.striped, depth=depth, step=step, ram_style=style)


class MemorySystem(wiring.Component):
    """Five channels of words and two writers of granules over the same ports.

    Parameters
    ----------
    config
        Parameters of the accelerator.

    Members
    -------
    axi : array of AXI4
        The ports.
    base : In, array
        Byte address of word 0 of each port.
    i_run : array of In streams of ``{"address": 32, "words": 32}``, one a channel
    o_word : array of Out streams of words, one a channel
    i_command, i : arrays of 2 In streams of runs and granules (:class:`WriteMerge`)
    writing : Out(1)
        Some accepted granule is not confirmed by the memory.
    flush, restart : In(1)
        As in :class:`Drain`.
    quiet : Out(1)
        No request is outstanding on any port.
    read_errors, write_errors : Out(ports)
        A port received an error response; stays until `clear`.
    clear : In(1)
    read_beats, write_beats : Out
        Number of beats transferred in this cycle.
    """

    axi: list[Axi4Interface]
    base: data.View
    i_run: list[stream.Interface]
    o_word: list[stream.Interface]
    i_command: list[stream.Interface]
    i: list[stream.Interface]
    writing: Signal
    flush: Signal
    restart: Signal
    quiet: Signal
    read_errors: Signal
    write_errors: Signal
    clear: Signal
    read_beats: Signal
    write_beats: Signal

    def __init__(self, *, config: AcceleratorConfig):
        self._config = config
        striped, writer = config.routed.striped, config.writer
        run = data.StructLayout({"address": unsigned(32), "words": unsigned(32)})
        words = stream.Signature(unsigned(striped.word_width))
        ports, channels = config.ports, len(CHANNELS)
        super().__init__(
            {
                "axi": Out(Axi4Signature(striped.reader.burst.axi)).array(ports),
                "base": In(data.ArrayLayout(unsigned(config.address_width), ports)),
                "i_run": In(stream.Signature(run)).array(channels),
                "o_word": Out(words).array(channels),
                "i_command": In(stream.Signature(writer.command)).array(WriteMerge.ASKERS),
                "i": In(stream.Signature(writer.granule)).array(WriteMerge.ASKERS),
                "writing": Out(1),
                "flush": In(1),
                "restart": In(1),
                "quiet": Out(1),
                "read_errors": Out(ports),
                "write_errors": Out(ports),
                "clear": In(1),
                "read_beats": Out(range(ports + 1)),
                "write_beats": Out(range(ports + 1)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        reader: Any = RoutedReader(config=config.routed)
        writer: Any = StripedWriter(config=config.writer)
        m.submodules.reader = ResetInserter(self.restart)(reader)
        m.submodules.writer = ResetInserter(self.restart)(writer)
        self._read(m, reader)
        self._write(m, writer)
        shift = config.routed.striped.reader.burst.axi.beat_bits
        read, written = Signal(config.ports), Signal(config.ports)
        for port, axi in enumerate(self.axi):
            connect_channels(m, axi, reader.axi[port], writer.axi[port])
            m.d.comb += [
                reader.base[port].eq(self.base[port][shift:]),
                writer.base[port].eq(self.base[port][shift:]),
                self.read_errors[port].eq(reader.errors[port] != 0),
                self.write_errors[port].eq(writer.errors[port] != 0),
            ]
            m.d.sync += [
                read[port].eq(axi.rvalid & axi.rready),
                written[port].eq(axi.wvalid & axi.wready),
            ]
        m.d.comb += [
            reader.clear.eq(self.clear),
            writer.clear.eq(self.clear),
            self.quiet.eq(~reader.busy & ~writer.busy),
            self.read_beats.eq(sum(read[port] for port in range(config.ports))),
            self.write_beats.eq(sum(written[port] for port in range(config.ports))),
        ]
        return m

    def _read(self, m: Module, reader: Any) -> None:
        merge = CommandMerge(config=self._config.routed)
        m.submodules.merge = ResetInserter(self.flush)(merge)
        connect(m, merge.o, reader.i_command)
        for index, name in enumerate(CHANNELS):
            channel = FetchChannel(config=channel_config(self._config, name))
            m.submodules[f"channel_{name}"] = ResetInserter(self.flush)(channel)
            run = self.i_run[index]
            m.d.comb += [
                channel.i_command.valid.eq(run.valid),
                run.ready.eq(channel.i_command.ready),
                channel.i_command.payload.address.eq(run.payload.address),
                channel.i_command.payload.beats.eq(run.payload.words),
                channel.i.valid.eq(reader.o[index].valid),
                channel.i.payload.eq(reader.o[index].payload),
                reader.o[index].ready.eq(channel.i.ready | self.flush),
            ]
            connect(m, channel.o_command, merge.i[index])
            connect(m, channel.o, flipped(self.o_word[index]))

    def _write(self, m: Module, writer: Any) -> None:
        merge = WriteMerge(config=self._config.writer)
        m.submodules.write_merge = ResetInserter(self.flush)(merge)
        for index in range(WriteMerge.ASKERS):
            connect(m, flipped(self.i_command[index]), merge.i_command[index])
            connect(m, flipped(self.i[index]), merge.i[index])
        connect(m, merge.o_command, writer.i_command)
        m.d.comb += [
            # A run that is cut off is completed by granules without strobes.
            writer.i.valid.eq(merge.o.valid | self.flush),
            writer.i.payload.data.eq(merge.o.payload.data),
            writer.i.payload.strobe.eq(
                merge.o.payload.strobe & ~self.flush.replicate(len(merge.o.payload.strobe))
            ),
            merge.o.ready.eq(writer.i.ready),
            self.writing.eq(
                merge.busy | writer.busy | Cat(run.valid for run in self.i_command).any()
            ),
        ]
