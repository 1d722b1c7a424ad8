"""The resource tables of the documents, from the stored report of a board.

`tercel synth --board kv260 -o boards/kv260/resources.json` makes the report;
`python bench/resource_tables.py` writes the tables, `--check` says which are stale. A table stands
between two comments, of which the first names its rows:

    <!-- resources
    attention = core.attention core.cache
    memory = memory.
    others = rest
    total
    target lut=88000 dsp=640
    -->
    <!-- end of resources -->

A row is the sum of the blocks that it names. A name that ends in `.` or `_` stands for all blocks
that begin with it, `rest` for all blocks that no row above names. An indented line continues the
line before. `total` adds rows for the sum of all blocks, the device and the share of it; such a
table must name every block. `target` compares the sum of all blocks with upper limits.

A table of the timing stands between `<!-- timing NAME -->` and `<!-- end of timing -->`; NAME is
one of `paths`, `blocks`, `loads` and `control`.
"""

import argparse
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tercel.errors import TercelError
from tercel.files import write_whole
from tercel_hw.board import load_board
from tercel_hw.export.bundle import STORED
from tercel_hw.synthesis.resources import Resources
from tercel_hw.synthesis.timing_report import timing_tables

__all__ = ["COLUMNS", "Report", "documents", "rewrite"]

ROOT = Path(__file__).parents[1]
BOARD = "kv260"
TABLE = re.compile(
    r"(?P<rows><!-- resources\n(?P<lines>.*?)-->\n).*?(?P<end><!-- end of resources -->)", re.DOTALL
)
TIMING = re.compile(
    r"(?P<start><!-- timing (?P<name>\w+) -->\n).*?(?P<end><!-- end of timing -->)", re.DOTALL
)
COLUMNS = {
    "lut": "LUT",
    "lut_memory": "of them memory",
    "ff": "FF",
    "dsp": "DSP",
    "bram36": "RAMB36",
    "uram": "URAM",
}
REST = "rest"


@dataclass(frozen=True, kw_only=True)
class Report:
    """Figures of `tercel synth`."""

    part: str
    """Part number of the device."""
    blocks: dict[str, Resources]
    levels: dict[str, int]
    """Most lookup tables between two registers, by block."""
    budget: Resources
    """Resources of the device."""
    timing: dict[str, Any] = field(default_factory=dict)
    """The report's own."""

    @property
    def total(self) -> Resources:
        return sum(self.blocks.values(), Resources())

    @classmethod
    def read(cls, board: str = BOARD) -> "Report":
        """The stored report of a board."""
        described = load_board(board)
        stored = json.loads((described.folder / STORED).read_text(encoding="utf-8"))
        blocks = {
            name: Resources(**{kind: block[kind] for kind in COLUMNS})
            for name, block in stored["blocks"].items()
        }
        levels = {name: block["depth"]["levels"] for name, block in stored["blocks"].items()}
        return cls(
            part=described.part,
            blocks=blocks,
            levels=levels,
            budget=Resources(**stored["budget"]),
            timing=stored.get("timing") or {},
        )

    def matching(self, name: str) -> list[str]:
        """Blocks that a name stands for.

        Raises
        ------
        TercelError
            If there are no such blocks.
        """
        found = [
            block
            for block in self.blocks
            if block == name or (name.endswith((".", "_")) and block.startswith(name))
        ]
        if not found:
            raise TercelError(
                f"the report has no block {name}; it has {', '.join(sorted(self.blocks))}"
            )
        return found


def rewrite(text: str, report: Report) -> str:
    """A document with its tables generated from the report.

    Raises
    ------
    TercelError
        If a table's comment breaks a rule of this module.
    """
    text = TABLE.sub(
        lambda found: found["rows"] + _table(found["lines"], report) + found["end"], text
    )
    return TIMING.sub(
        lambda found: found["start"] + _timing(found["name"], report) + found["end"], text
    )


def _timing(name: str, report: Report) -> str:
    tables = timing_tables(report.timing)
    if name not in tables:
        raise TercelError(f"a table of the timing is one of {', '.join(tables)}, not {name}")
    _, heads, rows = tables[name]
    return "".join(map(_row, (heads, ["---"] * len(heads), *rows)))


def _table(lines: str, report: Report) -> str:
    named: list[str] = []
    rows = [_row(("", *COLUMNS.values(), "levels")), _row(("---", *["---:"] * (len(COLUMNS) + 1)))]
    for line in lines.replace("\n  ", " ").splitlines():
        title, equals, names = line.partition(" = ")
        if equals:
            blocks = _blocks(names.split(), report, named)
            named += blocks
            found = sum((report.blocks[block] for block in blocks), Resources())
            rows.append(
                _row((title, *_counts(found), str(max(report.levels[block] for block in blocks))))
            )
        elif line == "total":
            if missing := sorted(set(report.blocks) - set(named)):
                raise TercelError(
                    f"a table with a total must name all blocks, not leave out {missing}"
                )
            rows += _total(report)
        elif line.startswith("target "):
            rows.append(_target(line.split()[1:], report.total))
        else:
            raise TercelError(f"a row of a table must be TITLE = BLOCK ..., not {line!r}")
    return "".join(rows)


def _blocks(names: Sequence[str], report: Report, named: Sequence[str]) -> list[str]:
    if names == [REST]:
        return [block for block in report.blocks if block not in named]
    blocks = [block for name in names for block in report.matching(name)]
    if twice := {block for block in blocks if block in named or blocks.count(block) > 1}:
        raise TercelError(f"blocks are in a table twice: {', '.join(sorted(twice))}")
    return blocks


def _total(report: Report) -> list[str]:
    total = report.total
    shares = [f"{getattr(total, kind) / getattr(report.budget, kind):.0%}" for kind in COLUMNS]
    return [
        _row(("**all**", *_counts(total), str(max(report.levels.values())))),
        _row((f"`{report.part}`", *_counts(report.budget), "")),
        _row(("share", *shares, "")),
    ]


def _target(limits: Sequence[str], total: Resources) -> str:
    most = {kind: int(value) for kind, _, value in (limit.partition("=") for limit in limits)}
    if unknown := set(most) - set(COLUMNS):
        raise TercelError(f"a target is one of {', '.join(COLUMNS)}, not {', '.join(unknown)}")
    cells = [
        f"<= {most[kind]:,}: {'met' if getattr(total, kind) <= most[kind] else '**missed**'}"
        if kind in most
        else ""
        for kind in COLUMNS
    ]
    return _row(("target", *cells, ""))


def _counts(resources: Resources) -> list[str]:
    return [
        f"{getattr(resources, kind):,g}" if kind == "bram36" else f"{getattr(resources, kind):,}"
        for kind in COLUMNS
    ]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def documents() -> list[Path]:
    """Documents that may have tables."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing, name stale documents")
    check = parser.parse_args().check
    report, stale = Report.read(), []
    for path in documents():
        text = path.read_text(encoding="utf-8")
        if (fresh := rewrite(text, report)) != text:
            stale.append(str(path.relative_to(ROOT)))
            if not check:
                write_whole(path, fresh)
    print("\n".join(stale) or "all tables are as the report has them")
    if check and stale:
        sys.exit(1)


if __name__ == "__main__":
    main()
