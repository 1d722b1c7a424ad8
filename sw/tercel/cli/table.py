"""Rows of a benchmark as Markdown, CSV or JSON, printed as they are measured."""

import csv
import enum
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import typer

__all__ = ["OutputFormat", "Row", "print_rows"]

Row = Mapping[str, Any]


class OutputFormat(str, enum.Enum):
    MD = "md"
    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"


def print_rows(
    rows: Iterable[Row],
    output: OutputFormat,
    *,
    heads: Mapping[str, int],
    cells: Callable[[Row], Sequence[str]],
) -> None:
    """Print rows to standard output; all formats but ``json`` print each as soon as it comes.

    Parameters
    ----------
    rows
        The values of each row by name, as CSV and JSON show them.
    output
    heads
        Heads of the Markdown table and the least width of their columns.
    cells
        The cells of a row of the Markdown table.
    """
    if output is OutputFormat.JSON:
        typer.echo(json.dumps(list(rows), indent=2))
    elif output is OutputFormat.JSONL:
        for row in rows:
            typer.echo(json.dumps(dict(row)))
    elif output is OutputFormat.CSV:
        _print_csv(rows)
    else:
        widths = heads.values()
        for number, row in enumerate(rows):
            if not number:  # not before: what fails at once prints no table
                _print_line(name.ljust(width) for name, width in heads.items())
                _print_line("-" * width for width in widths)
            _print_line(cell.ljust(width) for cell, width in zip(cells(row), widths, strict=True))


def _print_csv(rows: Iterable[Row]) -> None:
    writer = None
    for row in rows:
        if writer is None:
            writer = csv.DictWriter(sys.stdout, list(row), lineterminator="\n")
            writer.writeheader()
        writer.writerow(row)
        sys.stdout.flush()


def _print_line(cells: Iterable[str]) -> None:
    typer.echo(f"| {' | '.join(cells)} |")
