"""Rows that go to one of several takers."""

from collections.abc import Sequence

from amaranth.hdl import Module
from amaranth.lib import data, stream

from tercel_hw.vector.config import VectorConfig

__all__ = ["send_to_target", "targeted_row"]


def targeted_row(config: VectorConfig, targets: int) -> data.StructLayout:
    """An element of a row and the number of its taker."""
    return data.StructLayout({"row": config.row, "target": range(targets)})


def send_to_target(m: Module, source: stream.Interface, takers: Sequence[stream.Interface]) -> None:
    """Connect a stream of targeted rows to the streams of rows of all takers."""
    for number, taker in enumerate(takers):
        mine = source.payload.target == number
        m.d.comb += [taker.valid.eq(source.valid & mine), taker.payload.eq(source.payload.row)]
        with m.If(mine):
            m.d.comb += source.ready.eq(taker.ready)
