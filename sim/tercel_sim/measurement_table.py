"""What passes took, for people."""

from collections.abc import Mapping

from rich.table import Table

from tercel.cli.units import format_bytes
from tercel_sim.measurement import Summary

__all__ = ["measurement_table"]

PARTS = {
    "compute": "ternary engine",
    "tape_stall": "engine waits for tape",
    "table_stall": "engine waits for tables",
    "attention": "attention",
    "head": "head",
}
"""Counters of cycles, and what they are called in the table."""


def measurement_table(phases: Mapping[str, Summary]) -> Table:
    """A column for each phase."""
    table = Table(box=None)
    table.add_column("")
    for name in phases:
        table.add_column(name, justify="right")
    rows = {
        "passes": [str(each.passes) for each in phases.values()],
        "tokens": [str(each.tokens) for each in phases.values()],
        "cycles a pass": [f"{_mean(each, 'cycles'):.0f}" for each in phases.values()],
    }
    for name, title in PARTS.items():
        rows[f"  {title}"] = [
            f"{each.counted[name] / each.counted['cycles']:.1%}" for each in phases.values()
        ]
    for name in ("read", "written"):
        rows[f"bytes {name} a pass"] = [
            format_bytes(_mean(each, f"bytes_{name}")) for each in phases.values()
        ]
    rows["memory's bandwidth"] = [f"{each.bandwidth:.1%}" for each in phases.values()]
    for name in ("read_beats", "blocked", "starved", "idle"):
        rows[f"  ports {name.replace('_', ' ')}"] = [
            f"{sum(port[name] for port in each.ports) / _port_cycles(each):.1%}"
            for each in phases.values()
        ]
    rows["tokens/s"] = [f"{each.tokens_per_second:.1f}" for each in phases.values()]
    for title, cells in rows.items():
        table.add_row(title, *cells)
    return table


def _mean(summary: Summary, name: str) -> float:
    return summary.counted[name] / summary.passes


def _port_cycles(summary: Summary) -> int:
    """Cycles of all ports, which their read channels spent in one of four ways."""
    ways = ("read_beats", "blocked", "starved", "idle")
    return sum(port[way] for port in summary.ports for way in ways)
