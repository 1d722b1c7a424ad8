"""Transport between the memory ports and the units: reads of weights, writes of results."""

from tercel_hw.memory.axi import (
    Axi4Interface,
    Axi4LiteInterface,
    Axi4LiteSignature,
    Axi4Signature,
    AxiConfig,
)
from tercel_hw.memory.block_sequencer import BlockConfig, BlockSequencer
from tercel_hw.memory.burst import BurstConfig, BurstSplitter, bursts
from tercel_hw.memory.fetch import FetchChannel, FetchConfig
from tercel_hw.memory.fifo import FifoConfig, StreamFifo
from tercel_hw.memory.gearbox import Gearbox, GearboxConfig
from tercel_hw.memory.merge import CommandMerge
from tercel_hw.memory.ports import connect_channels, flat_name, flat_ports
from tercel_hw.memory.prefetch import PrefetchConfig, TapePrefetcher
from tercel_hw.memory.reader import AxiReader, ReaderConfig
from tercel_hw.memory.register_slice import RegisterSlice
from tercel_hw.memory.router import RoutedConfig, RoutedReader
from tercel_hw.memory.scale_unpacker import ScaleUnpacker
from tercel_hw.memory.sizing import (
    Phase,
    Playback,
    play,
    supply_rate,
    tape_buffer_words,
    tape_phases,
)
from tercel_hw.memory.striped import StripedConfig, StripedReader
from tercel_hw.memory.striped_writer import StripedWriter, StripedWriterConfig
from tercel_hw.memory.tape_cutter import TapeCutter
from tercel_hw.memory.write_merge import WriteMerge
from tercel_hw.memory.writer import AxiWriter, WriterConfig

__all__ = [
    "Axi4Interface",
    "Axi4LiteInterface",
    "Axi4LiteSignature",
    "Axi4Signature",
    "AxiConfig",
    "AxiReader",
    "AxiWriter",
    "BlockConfig",
    "BlockSequencer",
    "BurstConfig",
    "BurstSplitter",
    "CommandMerge",
    "FetchChannel",
    "FetchConfig",
    "FifoConfig",
    "Gearbox",
    "GearboxConfig",
    "Phase",
    "Playback",
    "PrefetchConfig",
    "ReaderConfig",
    "RegisterSlice",
    "RoutedConfig",
    "RoutedReader",
    "ScaleUnpacker",
    "StreamFifo",
    "StripedConfig",
    "StripedReader",
    "StripedWriter",
    "StripedWriterConfig",
    "TapeCutter",
    "TapePrefetcher",
    "WriteMerge",
    "WriterConfig",
    "bursts",
    "connect_channels",
    "flat_name",
    "flat_ports",
    "play",
    "supply_rate",
    "tape_buffer_words",
    "tape_phases",
]
