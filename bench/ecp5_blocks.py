"""Blocks for `ecp5.py`: in the product's widths with few lanes, and a whole accelerator."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring

from tercel_hw.attention import Attention, SoftmaxWeights
from tercel_hw.attention.weight_lane import WeightLane
from tercel_hw.cache import CacheWriter
from tercel_hw.dense import DenseConfig, DenseEngine
from tercel_hw.dense.chain import Chain
from tercel_hw.float32 import Adder, Multiplier
from tercel_hw.head import HeadConfig, HeadUnit, TopK
from tercel_hw.memory import (
    AxiReader,
    Gearbox,
    GearboxConfig,
    ReaderConfig,
    RoutedReader,
    flat_ports,
)
from tercel_hw.registers import AcceleratorControl
from tercel_hw.tlmm import AdderTree, CodeDecoder, TlmmEngine
from tercel_hw.tlmm.config import TLMM, TlmmConfig
from tercel_hw.top import ACCELERATORS, Accelerator
from tercel_hw.vector import Residual, Rotary, RowQuantiser, VectorConfig

__all__ = ["BLOCKS", "Block", "Registered"]

TINY = ACCELERATORS["tiny"]
TLMM_SCALED = TlmmConfig(tables=16, nodes=2, block_rows=64, generators=4)
DENSE = DenseConfig(nodes=1)
ATTENTION = TINY.attention
HEAD = HeadConfig(nodes=2, rows=1 << 17)
VECTOR = VectorConfig(nodes=2)
ONE_LANE = replace(TINY, tlmm=replace(TINY.tlmm, nodes=1))
"""The tiny accelerator with one lane: two lanes take 201 18x18 multipliers, the device has 156."""


class Registered(wiring.Component):
    """A block with two data pins: inputs from a shift register, outputs folded into one bit.

    Every input and output of the block is registered, so that no path includes a pin.

    Parameters
    ----------
    inner
        The block.
    """

    i: Signal
    o: Signal

    def __init__(self, inner: wiring.Component):
        self._inner = inner
        super().__init__({"i": wiring.In(1), "o": wiring.Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        inner: Any = self._inner
        m.submodules.inner = inner
        ports = flat_ports(inner).values()
        inputs = Cat(signal for signal, direction in ports if direction.name == "Input")
        outputs = Cat(signal for signal, direction in ports if direction.name == "Output")
        shifted = Signal(len(inputs))
        kept = Signal(len(outputs))
        m.d.sync += [shifted.eq(Cat(self.i, shifted)), kept.eq(outputs)]
        m.d.comb += inputs.eq(shifted)
        # One level per cycle keeps the folding off the critical path.
        row = kept
        while len(row) > 1:
            folded = Signal(-(-len(row) // 4))
            m.d.sync += folded.eq(Cat(row[at : at + 4].xor() for at in range(0, len(row), 4)))
            row = folded
        m.d.comb += self.o.eq(row)
        return m


@dataclass(frozen=True, kw_only=True)
class Block:
    """A block to be routed."""

    shape: str
    """Description of the size, for the table."""
    make: Callable[[], wiring.Component]


BLOCKS = {
    "adder": Block(shape="float32", make=Adder),
    "multiplier": Block(shape="float32", make=Multiplier),
    "weight lane": Block(shape="one lane", make=WeightLane),
    "decoder": Block(shape="base3", make=lambda: CodeDecoder(config=TlmmConfig())),
    "adder tree": Block(
        shape="77 tables, 1 lane",
        make=lambda: AdderTree(
            peaks=TlmmConfig().peaks, negatable=TlmmConfig().halved * TlmmConfig().tables, nodes=1
        ),
    ),
    "engine tiny": Block(shape="4 tables, 2 lanes", make=lambda: TlmmEngine(config=TLMM["tiny"])),
    "engine": Block(shape="16 tables, 2 lanes", make=lambda: TlmmEngine(config=TLMM_SCALED)),
    "dense chain": Block(shape="16 cells", make=lambda: Chain(DENSE)),
    "dense engine": Block(shape="64 bytes, 1 lane", make=lambda: DenseEngine(DENSE)),
    "softmax": Block(shape="tiny, 2 lanes", make=lambda: SoftmaxWeights(ATTENTION)),
    "attention": Block(shape="tiny, 2 lanes", make=lambda: Attention(ATTENTION)),
    "residual": Block(shape="4,096 wide, 2 lanes", make=lambda: Residual(VECTOR)),
    "quantiser": Block(shape="8,192 wide, 2 lanes", make=lambda: RowQuantiser(VECTOR)),
    "rotary": Block(shape="heads of 128, 2 lanes", make=lambda: Rotary(VECTOR)),
    "top-k": Block(shape="64 of 131,072, 2 lanes", make=lambda: TopK(HEAD)),
    "head unit": Block(
        shape="tiny, 2 lanes",
        make=lambda: HeadUnit(TINY.head_unit),
    ),
    "cache writer": Block(shape="tiny, 2 lanes", make=lambda: CacheWriter(TINY.cache)),
    "burst reader": Block(shape="128 bits", make=lambda: AxiReader(config=ReaderConfig())),
    "reader": Block(
        shape="tiny, 2 ports to 5",
        make=lambda: RoutedReader(config=TINY.routed),
    ),
    "gearbox": Block(
        shape="16 bytes to 20",
        make=lambda: Gearbox(config=GearboxConfig(word_bytes=16, max_bytes=20)),
    ),
    "registers": Block(
        shape="kv260", make=lambda: AcceleratorControl(config=ACCELERATORS["kv260"].control)
    ),
    "accelerator": Block(shape="tiny, 1 lane", make=lambda: Accelerator(config=ONE_LANE)),
}
