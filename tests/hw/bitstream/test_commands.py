import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tercel.cli.app import app

STANDINS = Path(__file__).parents[2] / "boards" / "vivado" / "run.tcl"


def tercel(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_what_is_missing_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    done = tercel("bitstream", "--board", "kv260", "-o", tmp_path / "out")
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(
        "error: a bitstream needs Vivado 2022.1 or newer, but there is no"
    )
    assert not (tmp_path / "out").exists()


def test_an_unknown_board_is_the_first_error(tmp_path):
    done = tercel("bitstream", "--board", "moon", "-o", tmp_path)
    assert done.stderr.startswith("error: board must be one of kr260, kv260, ")


def test_reports_are_one_table(written):
    done = tercel("bitstream-report", written("one.json"), written("two.json", board="kr260"))
    assert done.exit_code == 0
    assert [line.split("|")[1].strip() for line in done.stdout.splitlines()[4:]] == [
        "kv260",
        "kr260",
    ]
    missing = tercel("bitstream-report", "absent.json")
    assert (missing.exit_code, missing.stdout) == (2, "")


def test_a_board_is_built_up_to_the_vendors_step(monkeypatch, vivado, tmp_path):
    """The whole command, with the scripts on stand-ins for the vendor's commands."""
    if shutil.which("tclsh") is None:
        pytest.skip("no tclsh on the path: apt-get install tcl")
    monkeypatch.setattr("tercel_hw.export.bundle.Accelerator", lambda config: config)
    monkeypatch.setattr(
        "tercel_hw.export.bundle.emit_verilog", lambda part, name, target: "module;\n"
    )
    report = "\n".join(
        f"| {name} | 7 | 0 | 0 | 100 | 7.00 |"
        for name in ("Slice LUTs", "LUT as Memory", "Slice Registers", "DSPs", "Block RAM Tile")
    )
    scenario = {
        "release": "2024.1",
        "part": "xc7z020clg400-1",
        "core": "tercel",
        "board_parts": "tul.com.tw:pynq-z2:part0:1.0",
        "failing": "",
        "no_clock": 0,
        "utilisation": report,
        "slack,default": "0.3 0.1 1.0",
    }
    lines = [f"set {{scenario({name})}} {{{value}}}" for name, value in scenario.items()]
    (tmp_path / "scenario.tcl").write_text("\n".join(lines) + "\n")
    vivado(
        "vivado v2024.1 (64-bit)",
        f"exec tclsh {STANDINS} {tmp_path / 'scenario.tcl'} flow/build.tcl record.txt",
    )
    done = tercel("bitstream", "--board", "pynq-z2", "-o", tmp_path / "out")
    assert done.exit_code == 0, done.stderr
    overlay = tmp_path / "out" / "overlay"
    names = {path.name for path in overlay.iterdir()} - {"firmware"}
    assert names == {
        "shell.json",
        "tercel.bit",
        "tercel.bit.bin",
        "tercel.dtso",
        "tercel.hwh",
        "tercel.json",
        "tercel_build.json",
    }
    assert "| pynq-z2 | 2024.1 | 100 | met | Performance_Explore |" in done.stdout
    assert str(overlay / "tercel.bit") in done.stdout
    board = json.loads((overlay / "tercel.json").read_text())["board"]
    assert (board["clock"]["mhz"], board["interrupt"]["gic_spi"]) == (100, 29)
    assert board["memory"]["ports"] == ["S_AXI_HP0", "S_AXI_HP1"]
    assert board["registers"] == {
        "base": 0x4000_0000,
        "bytes": 0x1_0000,
        "instance": "accelerator",
    }
