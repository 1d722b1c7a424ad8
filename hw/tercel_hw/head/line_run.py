"""Where result lines go."""

from amaranth.hdl import unsigned
from amaranth.lib import data

__all__ = ["LINE_BITS", "RUN"]

LINE_BITS = 20
RUN = data.StructLayout({"address": unsigned(32), "lines": unsigned(LINE_BITS)})
"""Lines that follow each other in memory from a word on."""
