"""The table of builds for the results' page."""

from collections.abc import Sequence

from tercel.hardware.build_record import BuildRecord

__all__ = ["as_markdown"]

COLUMNS = (
    "board",
    "Vivado",
    "MHz",
    "timing",
    "strategy",
    "setup ns",
    "hold ns",
    "pulse ns",
)
RESOURCES = {
    "lut": "LUT",
    "lut_memory": "of them memory",
    "ff": "FF",
    "clb": "CLB",
    "dsp": "DSP",
    "bram36": "RAMB36",
    "uram": "URAM",
}


def as_markdown(records: Sequence[BuildRecord]) -> str:
    """Return builds as a Markdown table; evidence class: post-route."""
    heads = (*COLUMNS, *RESOURCES.values(), "critical warnings")
    lines = ["Evidence: post-route.", "", _line(heads), _line(["---"] * len(heads))]
    return "\n".join([*lines, *(_line(_cells(record)) for record in records)]) + "\n"


def _cells(record: BuildRecord) -> list[str]:
    last = record.tries[-1]
    timing = "met" if record.met else f"**missed**, {record.passing_mhz:.6g} MHz would pass"
    if not record.met and min(last.hold, last.pulse) < 0:
        timing = "**missed**, at any clock"
    counts = [_count(*record.used[name]) if name in record.used else "-" for name in RESOURCES]
    return [
        record.board,
        record.vivado,
        f"{record.achieved_mhz:.6g}",
        timing,
        last.strategy,
        *(f"{slack:.3f}" for slack in (last.setup, last.hold, last.pulse)),
        *counts,
        f"{record.critical_warnings}",
    ]


def _count(taken: float, available: float) -> str:
    share = f" ({taken / available:.0%})" if available else ""
    return f"{taken:,g}{share}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
