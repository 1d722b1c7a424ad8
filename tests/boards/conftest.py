import shutil
import subprocess
from pathlib import Path

import pytest

from tercel_hw.board import load_board
from tercel_hw.export.files import write_files
from tercel_hw.export.interfaces import describe_interfaces
from tercel_hw.export.vivado import board_files
from tercel_hw.top.config import ACCELERATORS

STANDINS = Path(__file__).parent / "vivado" / "run.tcl"


def utilisation(board, used=None):
    """A report as the tool writes it for the board's device."""
    seven = board.processor.value == "zynq7"
    kind = "Slice" if seven else "CLB"
    resources = board.resources
    rows = [
        (f"{kind} LUTs*" if seven else "CLB LUTs", resources.lut // 2, resources.lut),
        ("  LUT as Logic", resources.lut // 3, resources.lut),
        ("  LUT as Memory", resources.lut_memory // 3, resources.lut_memory),
        ("    LUT as Distributed RAM", 10, ""),
        (f"{kind} Registers", resources.ff // 3, resources.ff),
        (kind, resources.lut // 10, resources.lut // 8),
        ("Block RAM Tile", resources.bram36 / 2 + 0.5, resources.bram36),
        *([] if seven else [("URAM", resources.uram * 3 // 4, resources.uram)]),
        ("DSPs", resources.dsp // 2, resources.dsp),
    ]
    lines = ["|  Site Type  | Used | Fixed | Prohibited | Available | Util% |"]
    for name, taken, available in rows:
        taken = (used or {}).get(name.strip(" *"), taken)
        lines.append(f"| {name:<27}| {taken} |     0 |          0 | {available} | 50.00 |")
    return "\n".join(lines)


class Flow:
    """The scripts for a board in a folder, and a run of them on stand-ins for the tool."""

    def __init__(self, name: str, folder: Path):
        self.board, self.folder = load_board(name), folder
        self.scenario = {
            "release": "2023.2",
            "part": self.board.part,
            "core": "tercel",
            "board_parts": f"{self.board.board_part[:-1]}1.0 {self.board.board_part[:-1]}1.4",
            "failing": "",
            "no_clock": 0,
            "utilisation": utilisation(self.board),
            "slack,default": "0.113 0.010 1.200",
        }
        config = ACCELERATORS[self.board.preset]
        interfaces = describe_interfaces(config)
        files = board_files(
            self.board, interfaces, config=config, module="tercel", stem="tercel", sha256="ab12"
        )
        write_files(folder, {"tercel.v": "module tercel; endmodule\n"} | files)

    def change(self, file: str, before: str, after: str) -> None:
        """Change a part of a script, which must be there."""
        path = self.folder / file
        text = path.read_text()
        assert before in text
        path.write_text(text.replace(before, after))

    def run(self) -> "subprocess.CompletedProcess[str]":
        scenario = self.folder / "scenario.tcl"
        lines = [f"set {{scenario({name})}} {{{value}}}" for name, value in self.scenario.items()]
        scenario.write_text("\n".join(lines) + "\n")
        command = ["tclsh", STANDINS, scenario, "flow/build.tcl", "record.txt"]
        return subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, timeout=60, check=False
        )

    @property
    def calls(self) -> list[str]:
        return (self.folder / "record.txt").read_text().splitlines()


@pytest.fixture
def flow(tmp_path):
    """Writes the scripts for a board; they run on stand-ins for the vendor's tool."""
    if shutil.which("tclsh") is None:
        pytest.skip("no tclsh on the path: apt-get install tcl")
    return lambda name: Flow(name, tmp_path / name)
