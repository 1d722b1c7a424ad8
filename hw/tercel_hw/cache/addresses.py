"""The addresses of the rows and scales of each head of a command."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from tercel_hw.cache.config import CacheConfig
from tercel_hw.vector import command_layout

__all__ = ["CacheAddresses"]


class CacheAddresses(wiring.Component):
    """Generates the runs of one head after the other, in granules, by addition alone.

    Parameters
    ----------
    config
        Parameters of the block.

    Members
    -------
    command : In(command_layout("heads"))
        Steady from ``block`` to the last head's last run.
    value : In(1)
        Values instead of keys; valid with ``block``.
    block, offset : In(1)
        Go to the rows of the first head: in two cycles, first to the head's start, then on by
        ``base`` positions. ``command`` must be there a cycle before.
    head : In(1)
        Go to the head's first slice; in a cycle after ``offset`` or ``next_head``.
    next_slice, next_head : In(1)
        Go to the next slice, or head.
    rows, scales : Out(config.writer.command)
        The runs of the slice, from the cycle after ``head`` or ``next_slice``, and of the scales.
    last : Out(1)
        The slice is the head's last.
    """

    command: data.View
    value: Signal
    block: Signal
    offset: Signal
    head: Signal
    next_slice: Signal
    next_head: Signal
    rows: data.View
    scales: data.View
    last: Signal

    def __init__(self, config: CacheConfig):
        self._config = config
        pulses = ("block", "offset", "head", "next_slice", "next_head")
        super().__init__(
            {
                "command": In(command_layout("heads")),
                "value": In(1),
                **{name: In(1) for name in pulses},
                "rows": Out(config.writer.command),
                "scales": Out(config.writer.command),
                "last": Out(1),
            }
        )

    @property
    def config(self) -> CacheConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, command = self._config, self.command
        zeros = Const(0, config.writer.port_bits)
        cache, row_words, stride, slice_words, half_words = (
            Cat(zeros, command[name])
            for name in ("cache", "row_words", "head_stride", "slice_words", "half_at")
        )
        nodes = command.nodes[: config.vector.nodes.bit_length()]
        places = command.base[: config.position_bits] + nodes
        # Starts of the head's first full slice and of its half slice.
        full_at, half_at = (
            Signal.like(self.rows.granule, name=f"at{index}", reset_less=True) for index in range(2)
        )
        slice_at, number, half = Signal.like(full_at), Signal.like(command.full), Signal()
        # Granules of a position in a full slice, and in a half slice.
        whole, part = config.writer.ports, config.writer.ports // 2
        m.d.comb += [
            half.eq(number == command.full),
            self.rows.granule.eq(Mux(half, half_at, slice_at)),
            self.rows.granules.eq(Mux(half, nodes * part, nodes * whole)),
            self.last.eq(Mux(half, 1, (number + 1 == command.full) & ~command.half)),
        ]
        with m.If(self.block):
            rows = cache + Mux(self.value, row_words, 0)
            m.d.sync += [
                full_at.eq(rows),
                half_at.eq(rows + half_words),
                self.scales.granule.eq(cache + (row_words << 1)),
                self.scales.granules.eq((places + config.positions - 1) >> config.position_bits),
            ]
        with m.If(self.offset):
            m.d.sync += [
                full_at.eq(full_at + command.base * whole),
                half_at.eq(half_at + command.base * part),
                self.scales.granule.eq(
                    self.scales.granule + (command.base >> config.position_bits)
                ),
            ]
        with m.If(self.next_head):
            m.d.sync += [
                full_at.eq(full_at + stride),
                half_at.eq(half_at + stride),
                self.scales.granule.eq(self.scales.granule + stride),
            ]
        with m.If(self.head):
            m.d.sync += [slice_at.eq(full_at), number.eq(0)]
        with m.If(self.next_slice):
            m.d.sync += [slice_at.eq(slice_at + slice_words), number.eq(number + 1)]
        return m
