"""Parameters of the results that are written for the host."""

from dataclasses import dataclass, field

from amaranth.lib import data

from tercel_hw.checks import check_integer
from tercel_hw.float32.primitive import FLOAT32_BITS
from tercel_hw.head.line_run import LINE_BITS
from tercel_hw.memory import StripedWriterConfig

__all__ = ["ResultConfig"]


@dataclass(frozen=True, kw_only=True)
class ResultConfig:
    """Parameters of result lines, 32 bits of each lane, and of the memory they are written to.

    Raises
    ------
    TypeError, ValueError
        If a field breaks its rule.
    """

    nodes: int = 8
    """Lanes, K."""
    writer: StripedWriterConfig = field(default_factory=StripedWriterConfig)
    """Configuration of the striped writer that takes the lines."""

    def __post_init__(self):
        check_integer("nodes", self.nodes, 1, 64)
        if not isinstance(self.writer, StripedWriterConfig):
            raise TypeError(f"writer must be a StripedWriterConfig, not {self.writer!r}")
        needed = LINE_BITS + (self.line_granules - 1).bit_length()
        width = self.writer.writer.burst.count_width
        if width < needed:
            raise ValueError(
                f"count_width of the writer's bursts must be at least {needed}, but is {width}"
            )

    @property
    def line(self) -> data.ArrayLayout:
        return data.ArrayLayout(FLOAT32_BITS, self.nodes)

    @property
    def line_granules(self) -> int:
        """Granules of a line."""
        return -(-self.line.size // (8 * self.writer.port_bytes))
