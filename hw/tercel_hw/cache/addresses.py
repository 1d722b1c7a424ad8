"""Where the rows and scales of each head of a command lie."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from tercel_hw.cache.config import CacheConfig
from tercel_hw.vector import command_layout

__all__ = ["CacheAddresses"]


class CacheAddresses(wiring.Component):
    """The runs of one head after the other, in granules; nothing is stored by its number.

    Parameters
    ----------
    config
        The shape.

    Members
    -------
    command : In(command_layout("heads"))
        Steady from ``block`` to the last head's last run.
    value : In(1)
        Values, not keys; with ``block``.
    block, offset : In(1)
        Go to the rows of the first head: in two cycles, first to the head's start, then on by
        ``base`` positions. ``command`` must be there a cycle before.
    next_head : In(1)
        Go to the rows of the next head.
    rows, scales : Out(config.writer.command)
        The head's runs, from the cycle after ``offset`` or ``next_head``.
    """

    command: data.View
    value: Signal
    block: Signal
    offset: Signal
    next_head: Signal
    rows: data.View
    scales: data.View

    def __init__(self, config: CacheConfig):
        self._config = config
        super().__init__(
            {
                "command": In(command_layout("heads")),
                "value": In(1),
                "block": In(1),
                "offset": In(1),
                "next_head": In(1),
                "rows": Out(config.writer.command),
                "scales": Out(config.writer.command),
            }
        )

    @property
    def config(self) -> CacheConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, command = self._config, self.command
        zeros = Const(0, config.writer.port_bits)
        cache, row_words, stride = (
            Cat(zeros, command[name]) for name in ("cache", "row_words", "head_stride")
        )
        nodes = command.nodes[: config.vector.nodes.bit_length()]
        granules = (command.head_size >> config.byte_bits)[: config.head_granules.bit_length()]
        rows_offset = Signal(len(command.base) + len(granules))
        places = command.base[: config.position_bits] + nodes
        with m.If(self.block):
            m.d.sync += [
                self.rows.granule.eq(cache + Mux(self.value, row_words, 0)),
                self.scales.granule.eq(cache + (row_words << 1)),
                rows_offset.eq(command.base * granules),
                self.rows.granules.eq(nodes * granules),
                self.scales.granules.eq((places + config.positions - 1) >> config.position_bits),
            ]
        with m.If(self.offset):
            m.d.sync += [
                self.rows.granule.eq(self.rows.granule + rows_offset),
                self.scales.granule.eq(
                    self.scales.granule + (command.base >> config.position_bits)
                ),
            ]
        with m.If(self.next_head):
            m.d.sync += [
                self.rows.granule.eq(self.rows.granule + stride),
                self.scales.granule.eq(self.scales.granule + stride),
            ]
        return m
