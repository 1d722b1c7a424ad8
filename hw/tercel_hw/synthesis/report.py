"""The report of a synthesis: blocks, total, budget."""

import dataclasses
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from typing import Any

from rich.markup import escape
from rich.table import Table

from tercel_hw.board import BoardSpec
from tercel_hw.synthesis.resources import Resources
from tercel_hw.synthesis.run import Measured
from tercel_hw.synthesis.script import options
from tercel_hw.synthesis.timing import Timing
from tercel_hw.synthesis.timing_report import timing_json, timing_tables
from tercel_hw.top.config import AcceleratorConfig

__all__ = ["as_json", "as_markdown", "as_tables"]

HEADS = {
    "lut": "LUT",
    "lut_memory": "of them memory",
    "ff": "FF",
    "dsp": "DSP48",
    "bram36": "RAMB36",
    "uram": "URAM288",
}
"""Columns of the table."""
Row = tuple[str, ...]


def _total(blocks: Sequence[Measured]) -> Resources:
    return sum((block.resources for block in blocks), Resources())


def as_json(
    blocks: Sequence[Measured],
    *,
    config: AcceleratorConfig,
    board: BoardSpec,
    complete: bool,
    timing: Timing | None,
) -> dict[str, Any]:
    """Return the report as a JSON object.

    Parameters
    ----------
    complete
        True if these are all blocks of the accelerator.
    timing
        Timing of the joined blocks; ``None`` for a family without tables of delays.
    """
    return {
        "format": "tercel synthesis",
        "version": 2,
        "evidence": "estimate: every block synthesised on its own, nothing placed or routed",
        "tools": {
            "pyosys": version("pyosys"),
            "command": f"synth_xilinx {options(board.target)}",
        },
        "parameters": config.parameters(),
        "complete": complete,
        "blocks": {
            block.name: dataclasses.asdict(block.resources)
            | {"depth": dataclasses.asdict(block.depth)}
            for block in blocks
        },
        "total": dataclasses.asdict(_total(blocks)),
        "timing": None if timing is None else timing_json(timing),
        "board": board.name,
        "target": board.target.value,
        "budget": dataclasses.asdict(board.resources),
    }


def _rows(blocks: Sequence[Measured], board: BoardSpec) -> tuple[list[Row], list[Row]]:
    """Return the table's rows of the blocks, and those of total, budget and share."""
    total = _total(blocks)
    body = [
        (block.name, *_counts(block.resources), f"{block.depth.levels}", f"{block.depth.through}")
        for block in sorted(blocks, key=lambda block: -block.resources.lut)
    ]
    shares = [_share(getattr(total, name), getattr(board.resources, name)) for name in HEADS]
    foot = [
        ("total", *_counts(total), "", ""),
        (board.part, *_counts(board.resources), "", ""),
        ("share", *shares, "", ""),
    ]
    return body, foot


def _share(taken: float, available: float) -> str:
    """A device without a resource has no share of it."""
    return f"{taken / available:.0%}" if available else "-"


def _counts(resources: Resources) -> Row:
    return tuple(
        f"{getattr(resources, name):g}" if name == "bram36" else f"{getattr(resources, name)}"
        for name in HEADS
    )


def as_tables(
    blocks: Sequence[Measured], board: BoardSpec, timing: Timing | None
) -> Iterator[Table]:
    """Yield the tables of the report for a terminal."""
    table = Table(title="Estimate: Yosys, block by block, nothing placed or routed")
    table.add_column("block")
    for head in (*HEADS.values(), "levels", "through"):
        table.add_column(head, justify="right")
    body, foot = _rows(blocks, board)
    for row in body:
        table.add_row(*row)
    table.add_section()
    for row in foot:
        table.add_row(*row)
    yield table
    if timing is None:
        return
    for title, heads, rows in timing_tables(timing_json(timing)).values():
        table = Table(title=f"{title} (estimate)", caption=_control_sets(timing))
        for head in heads:
            table.add_column(escape(head), overflow="fold")
        for row in rows:
            table.add_row(*(escape(cell) for cell in row))
        yield table


def _control_sets(timing: Timing) -> str:
    return f"{timing.control_sets} control sets"


def as_markdown(blocks: Sequence[Measured], board: BoardSpec, timing: Timing | None) -> str:
    """Return the report as Markdown tables."""
    heads = ("block", *HEADS.values(), "levels", "through")
    body, foot = _rows(blocks, board)
    lines = [_line(heads), _line(("---", *["---:"] * (len(heads) - 1)))]
    lines += [_line((f"`{row[0]}`", *row[1:])) for row in body]
    lines += [_line((f"**{row[0]}**", *row[1:])) for row in foot]
    if timing is not None:
        for title, heads, rows in timing_tables(timing_json(timing)).values():
            lines += ["", f"{title} (estimate):", "", _line(heads), _line(["---"] * len(heads))]
            lines += [_line(row) for row in rows]
        lines += ["", _control_sets(timing)]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
