"""The distribution of rows to one of several consumers."""

from collections.abc import Sequence

from amaranth.hdl import Module
from amaranth.lib import data, stream

from tercel_hw.vector.config import VectorConfig

__all__ = ["HEAD", "send_to_target", "targeted_row"]

HEAD = 3
"""Target of the rows of a linear that is the head."""


def targeted_row(config: VectorConfig, targets: int) -> data.StructLayout:
    """Return the layout of a row's element with the number of its consumer."""
    return data.StructLayout({"row": config.row, "target": range(targets)})


def send_to_target(
    m: Module, source: stream.Interface, consumers: Sequence[stream.Interface]
) -> None:
    """Connect a stream of targeted rows to the streams of rows of all consumers."""
    for number, consumer in enumerate(consumers):
        mine = source.payload.target == number
        m.d.comb += [
            consumer.valid.eq(source.valid & mine),
            consumer.payload.eq(source.payload.row),
        ]
        with m.If(mine):
            m.d.comb += source.ready.eq(consumer.ready)
