"""The layout of a run of result lines."""

from amaranth.hdl import unsigned
from amaranth.lib import data

__all__ = ["LINE_BITS", "RUN"]

LINE_BITS = 20
RUN = data.StructLayout({"address": unsigned(32), "lines": unsigned(LINE_BITS)})
"""A run of lines: ``lines`` successive lines from word ``address`` on."""
