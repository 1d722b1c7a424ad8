"""The table of measured passes for the terminal."""

from collections.abc import Mapping, Sequence

from rich.table import Table

from tercel.cli.units import format_bytes
from tercel_sim.measurement import Summary

__all__ = ["ENGINE", "MEMORY", "UNITS", "engine_cycles", "measurement_table"]

ENGINE = {
    "compute": "works",
    "tape_stall": "waits for tape",
    "table_stall": "waits for rows or tables",
    "free": "has no matrix",
}
"""Activities of the ternary engine; every cycle counts in one of them."""
UNITS = {"attention": "attention", "head": "head"}
"""Counters of other units, which work in parallel with the engine."""
MEMORY = {
    "moving": "moves",
    "refreshing": "refreshes beyond its rate",
    "turning": "turns",
    "full": "finds ports full",
    "latency": "is on its way",
    "rows": "opens rows",
    "unasked": "is not asked",
}
"""Activities of the memory, by the fields of ``CycleAccount``; they add up to the cycles."""


def engine_cycles(counted: Mapping[str, int]) -> dict[str, int]:
    """Return the cycles of :data:`ENGINE` from the counter registers."""
    known = {name: counted[name] for name in ("compute", "tape_stall", "table_stall")}
    return known | {"free": counted["cycles"] - sum(known.values())}


def measurement_table(phases: Mapping[str, Summary]) -> Table:
    """Return a table with a column for each phase."""
    table = Table(box=None)
    table.add_column("")
    for name in phases:
        table.add_column(name, justify="right")
    summaries = list(phases.values())
    rows = {
        "passes": [str(each.passes) for each in summaries],
        "tokens": [str(each.tokens) for each in summaries],
        "cycles a pass": [f"{_mean(each, 'cycles'):.0f}" for each in summaries],
    }
    engines = [engine_cycles(each.counted) for each in summaries]
    for name, title in ENGINE.items():
        counts = [engine[name] for engine in engines]
        rows[f"  the engine {title}"] = _parts(summaries, counts)
    for name, title in UNITS.items():
        rows[f"  {title}"] = _parts(summaries, [each.counted[name] for each in summaries])
    for name, title in MEMORY.items():
        counts = [getattr(each.account, name) for each in summaries]
        if name == "rows" and not any(counts):
            continue  # A memory without banks.
        rows[f"  the memory {title}"] = _parts(summaries, counts)
    for name in ("read", "written"):
        rows[f"bytes {name} a pass"] = [
            format_bytes(_mean(each, f"bytes_{name}")) for each in summaries
        ]
    rows["memory's bandwidth"] = [f"{each.bandwidth:.1%}" for each in summaries]
    rows["tokens/s"] = [f"{each.tokens_per_second:.1f}" for each in summaries]
    for title, cells in rows.items():
        table.add_row(title, *cells)
    return table


def _parts(summaries: Sequence[Summary], counts: Sequence[float]) -> list[str]:
    return [
        f"{count / each.counted['cycles']:.1%}"
        for each, count in zip(summaries, counts, strict=True)
    ]


def _mean(summary: Summary, name: str) -> float:
    return summary.counted[name] / summary.passes
