"""The timing of a design as JSON and as tables."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tercel_hw.synthesis.timing import FanOut, Timing, TimingPath

__all__ = ["LIMIT_PS", "timing_json", "timing_tables"]

LIMIT_PS = 3600
"""Longest path of a design that is meant to run at 250 MHz: 4 ns less skew and uncertainty."""
MANY = 16
"""Least fan-out that a path's description shows."""
Table = tuple[str, tuple[str, ...], list[tuple[str, ...]]]
"""Title, heads and rows."""


def timing_json(timing: Timing) -> dict[str, Any]:
    """Return a timing as a JSON object."""
    return {
        "evidence": "estimate: netlists of the blocks joined, delays of cells and nets from tables",
        "limit_ps": timing.limit_ps,
        "worst_ps": max((path.ps for path in timing.paths), default=0),
        "control_sets": timing.control_sets,
        "blocks": {
            block.block: _path(block.path) | {"late": block.late} for block in timing.blocks
        },
        "paths": [_path(path) for path in timing.paths],
        "fan_outs": _fan_outs(timing.fan_outs),
        "control_fan_outs": _fan_outs(timing.control_fan_outs),
    }


def _path(path: TimingPath) -> dict[str, Any]:
    return {
        "ps": path.ps,
        "levels": path.levels,
        "start": path.start,
        "end": path.end,
        "through": list(_through(path)),
    }


def _through(path: TimingPath) -> Iterator[str]:
    """Yield the cells of a path; equal ones in series are one entry, large fan-outs are shown."""
    cells: list[tuple[str, int]] = []
    for step in path.steps:
        if step.fan_out >= MANY:
            cells.append((f"[{step.fan_out}]", 1))
        if cells and cells[-1][0] == step.cell:
            cells[-1] = (step.cell, cells[-1][1] + 1)
        elif step is not path.steps[-1]:
            cells.append((step.cell, 1))
    for cell, times in cells:
        yield f"{times} {cell}" if times > 1 else cell


def _fan_outs(nets: Sequence[FanOut]) -> list[dict[str, Any]]:
    return [dataclasses.asdict(net) for net in nets]


def timing_tables(facts: Mapping[str, Any]) -> dict[str, Table]:
    """Return the tables of a timing, given as its JSON object, by name."""
    limit = _ns(facts["limit_ps"])
    blocks = sorted(facts["blocks"].items(), key=lambda item: -item[1]["ps"])
    return {
        "paths": (
            "The worst paths, one for each end",
            ("ns", "levels", "start", "through; [loads]", "end"),
            [
                (
                    _ns(path["ps"]),
                    str(path["levels"]),
                    path["start"],
                    ", ".join(path["through"]),
                    path["end"],
                )
                for path in facts["paths"]
            ],
        ),
        "blocks": (
            "The worst path that ends in each block",
            ("block", "ns", "levels", f"ends above {limit} ns", "start", "end"),
            [
                (
                    name,
                    _ns(path["ps"]),
                    str(path["levels"]),
                    str(path["late"]),
                    path["start"],
                    path["end"],
                )
                for name, path in blocks
            ],
        ),
        "loads": ("The nets with most loads", *_nets(facts["fan_outs"])),
        "control": (
            "The nets with most clock enables and resets",
            *_nets(facts["control_fan_outs"]),
        ),
    }


def _nets(nets: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    rows = [(net["name"], str(net["loads"]), str(net["control"])) for net in nets]
    return ("net", "loads", "of them enables and resets"), rows


def _ns(picoseconds: int) -> str:
    return f"{picoseconds / 1000:.2f}"
