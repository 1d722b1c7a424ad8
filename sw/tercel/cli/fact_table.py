"""Tables of named facts."""

from collections.abc import Mapping

from rich.table import Table

__all__ = ["fact_table"]

WIDTHS = 22, 40
"""Least and most characters of a name."""


def fact_table(title: str, rows: Mapping[str, str]) -> Table:
    """A table of two columns without a frame, names and values."""
    table = Table(title=title, title_justify="left", box=None, show_header=False)
    table.add_column(min_width=WIDTHS[0], max_width=WIDTHS[1])
    for name, value in rows.items():
        table.add_row(name, value)
    return table
