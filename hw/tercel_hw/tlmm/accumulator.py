"""The accumulator of the partial sums of a block of rows."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from tercel_hw.tlmm.config import SAME_ROW, TlmmConfig
from tercel_hw.tlmm.layouts import sums_layout, tag_layout, total_layout

__all__ = ["Accumulator"]


class Accumulator(wiring.Component):
    """Adds the totals of a row's chunks, for every row of a block and every node.

    One total a cycle; the sum of a row leaves `LATENCY` cycles after its final total, without flow
    control. Two totals of one row must be at least `SAME_ROW` cycles apart: read, add and write
    take a cycle each and there is no bypass.

    Parameters
    ----------
    config
        Parameters of the engine.

    Members
    -------
    tag : In
        Row of the total, and flags of its first and final chunk.
    total : In
        Total of each node.
    valid : Out
        A row is complete.
    sums : Out
        Sums of the row; ``last`` on the matrix's last row.
    """

    LATENCY = 2
    SAME_ROW = SAME_ROW

    tag: data.View
    total: data.View
    valid: Signal
    sums: data.View

    def __init__(self, *, config: TlmmConfig):
        self._config = config
        super().__init__(
            {
                "tag": In(tag_layout(config)),
                "total": In(total_layout(config)),
                "valid": Out(1),
                "sums": Out(sums_layout(config)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        ram = memory.Memory(
            shape=self.sums.sums.shape(),
            depth=config.block_rows,
            init=[],
            attrs={"ram_style": "block"},
        )
        m.submodules.ram = ram
        read, write = ram.read_port(), ram.write_port()
        m.d.comb += read.addr.eq(self.tag.row)

        tag, written = Signal(tag_layout(config)), Signal(tag_layout(config))
        total = Signal(self.total.shape(), reset_less=True)
        sums = Signal(self.sums.sums.shape(), reset_less=True)
        m.d.comb += self.sums.sums.eq(sums)
        m.d.sync += [tag.eq(self.tag), total.eq(self.total), written.eq(tag)]
        for node in range(config.nodes):
            before = Signal(signed(config.sum_bits), name=f"before_{node}")
            m.d.comb += before.eq(Mux(tag.first, 0, read.data[node]))
            m.d.sync += sums[node].eq(before + total[node])
        m.d.comb += [
            write.en.eq(written.valid),
            write.addr.eq(written.row),
            write.data.eq(sums),
            self.valid.eq(written.valid & written.final),
            self.sums.last.eq(written.last),
        ]
        return m
