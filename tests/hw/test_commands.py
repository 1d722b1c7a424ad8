"""The commands as a user calls them."""

import dataclasses
import json
import subprocess
import sys

import pytest
from broken_output import MESSAGE, status_of
from typer.testing import CliRunner

from tercel.cli.app import app
from tercel_hw.board import board_folder, load_board
from tercel_hw.synthesis.run import measure_blocks
from tercel_hw.target import Target
from tercel_hw.top.config import ACCELERATORS


def tercel(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_presets_are_listed():
    done = tercel("hdl", "--list-presets")
    assert done.exit_code == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(ACCELERATORS)
    assert "base3, 77 tables, 8 nodes, 4 ports of 128 bits" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give one of --preset, --config and --board"),
        (
            ["--preset", "big"],
            "preset must be one of tiny, kv260, kv260-wide, kv260-index5, kv260-groups, ultra",
        ),
        (["--board", "moon"], "board must be one of kr260, kv260, pynq-z2, rfsoc4x2,"),
        (["--preset", "tiny", "--config", "a.json"], "give --preset or --config, not both"),
        (["--config", "absent.json"], "the configuration absent.json cannot be read"),
        (["--board", "kv260", "--preset", "tiny"], "the memory ports of kv260 have 128 bits"),
        (["--preset", "tiny", "--resources", "absent.json"], "the report absent.json cannot be"),
        (
            ["--preset", "tiny", "--target", "versal"],
            "target must be one of portable, 7series, ultrascale+,",
        ),
        (["--preset", "tiny", "--name", "module"], "--name must be no keyword of SystemVerilog"),
        (["--preset", "tiny", "--name", "../a"], "--name must be letters, digits and single und"),
    ],
)
def test_hdl_refuses_without_a_trace(arguments, message, tmp_path):
    done = tercel("hdl", "-o", tmp_path / "out", *arguments)
    assert done.exit_code == 2
    assert done.stderr.startswith(f"error: {message}")
    assert not (tmp_path / "out").exists()


@pytest.fixture
def no_verilog(monkeypatch):
    """Nothing is elaborated, which takes long."""
    monkeypatch.setattr("tercel_hw.export.bundle.Accelerator", lambda config: config)
    monkeypatch.setattr(
        "tercel_hw.export.bundle.emit_verilog",
        lambda part, name, target: f"module; // {target.value}\n",
    )


@pytest.mark.parametrize(
    ("output", "stem"), [("folder", "folder/tercel"), ("folder/made.v", "folder/made")]
)
def test_hdl_writes_all_files(no_verilog, output, stem, tmp_path):
    done = tercel("hdl", "--preset", "tiny", "-o", tmp_path / output)
    assert done.exit_code == 0
    registers = (f"_registers.{suffix}" for suffix in ("h", "md", "rdl", "svd"))
    suffixes = (".v", ".json", *registers, ".vlt", ".core")
    assert done.stdout.split() == [f"{tmp_path / stem}{suffix}" for suffix in suffixes]
    assert len(list((tmp_path / "folder").iterdir())) == len(suffixes)
    sidecar = json.loads((tmp_path / f"{stem}.json").read_text())
    assert sidecar["parameters"] == ACCELERATORS["tiny"].parameters()


def test_a_bad_configuration_is_told_before_emission_is_imported(tmp_path):
    (tmp_path / "a.json").write_text('{"ports": 3}')
    script = """
import sys
from typer.testing import CliRunner
from tercel.cli.app import app
done = CliRunner().invoke(app, ["hdl", "--config", "a.json", "-o", "out"])
assert "ports 3: bytes of a word" in done.stderr, done.stderr
assert not {"amaranth.back.rtlil", "tercel_hw.export.bundle"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True, timeout=100)


def test_a_name_names_the_files_too(no_verilog, tmp_path):
    done = tercel("hdl", "--preset", "tiny", "--name", "mine", "-o", tmp_path)
    assert done.exit_code == 0
    assert {path.name.split(".")[0] for path in tmp_path.iterdir()} == {"mine", "mine_registers"}


def test_hdl_writes_the_scripts_of_a_board(no_verilog, tmp_path):
    done = tercel("hdl", "--board", "kv260", "-o", tmp_path)
    assert done.exit_code == 0
    scripts = board_folder() / "flow"
    for path in scripts.iterdir():
        assert (tmp_path / "flow" / path.name).read_text() == path.read_text()
    assert "m_axi_mem3" in (tmp_path / "tercel_top.v").read_text()


@pytest.mark.parametrize(
    ("arguments", "target"),
    [
        (["--preset", "tiny"], "portable"),
        (["--preset", "tiny", "--target", "ultrascale+"], "ultrascale+"),
        (["--board", "kv260"], "ultrascale+"),
        (["--board", "kv260", "--target", "portable"], "portable"),
    ],
)
def test_hdl_is_for_the_boards_target_or_the_one_asked_for(no_verilog, arguments, target, tmp_path):
    done = tercel("hdl", *arguments, "-o", tmp_path)
    assert done.exit_code == 0
    assert (tmp_path / "tercel.v").read_text() == f"module; // {target}\n"
    assert json.loads((tmp_path / "tercel.json").read_text())["target"] == target
    assert (tmp_path / "tercel_primitives.v").exists() == (target == "ultrascale+")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--jobs", "0"], "Usage"),
        (["-o", "report.txt"], "error: the report must be *.json or *.md, not report.txt"),
        (["--board", "moon"], "error: board must be one of kr260, kv260, pynq-z2, "),
    ],
)
def test_synth_refuses_without_a_trace(arguments, message):
    done = tercel("synth", "--preset", "tiny", *arguments)
    assert done.exit_code == 2
    assert done.stderr.startswith(message)


TEXT = """module \\tercel
  wire input 1 \\i
  wire output 2 \\o
  cell \\tercel.control \\control
    connect \\i \\i
    connect \\o \\o
  end
end
module \\tercel.control
  wire input 1 \\i
  wire output 2 \\o
  cell $not $1
    parameter \\A_SIGNED 0
    parameter \\A_WIDTH 1
    parameter \\Y_WIDTH 1
    connect \\A \\i
    connect \\Y \\o
  end
end
"""


@pytest.fixture
def small(monkeypatch, tmp_path):
    """A design of one inverter in place of the accelerator, and an empty cache.

    Gives the targets for which it was emitted.
    """
    pytest.importorskip("pyosys")
    monkeypatch.setattr("tercel_hw.top.accelerator.Accelerator", lambda config: config)
    targets = []

    def emit(part, name, target):
        targets.append(target)
        return TEXT

    monkeypatch.setattr("tercel_hw.emission.emit_rtlil", emit)
    monkeypatch.setitem(measure_blocks.__kwdefaults__, "cache", tmp_path / "cache")
    return targets


def test_synth_reports_blocks(small, tmp_path):
    done = tercel("synth", "--preset", "tiny", "--blocks", "control", "-o", tmp_path / "a.md")
    assert done.exit_code == 0
    assert "control: 1 LUT, 1 levels" in done.stderr
    assert "117120" in done.stdout
    assert "| `control` | 1 | 0 | 0 |" in (tmp_path / "a.md").read_text()


def test_hdl_without_an_output_is_one_line(no_verilog, tmp_path, capsys):
    """The files are there all the same."""
    for options in (("--list-presets",), ("--preset", "tiny", "-o", tmp_path / "hdl")):
        assert status_of(("hdl", *options), tmp_path) == 2
        assert capsys.readouterr().err.endswith(MESSAGE)
    assert (tmp_path / "hdl").is_dir()


def test_synth_adds_up_all_blocks(small, tmp_path):
    done = tercel("synth", "--preset", "tiny", "-o", tmp_path / "a.json", "--jobs", "2")
    assert done.exit_code == 0
    report = json.loads((tmp_path / "a.json").read_text())
    assert set(report["blocks"]) == {"*", "control"}
    assert (report["complete"], report["total"]["lut"]) == (True, 1)
    assert [target.value for target in small] == [report["target"]] == ["ultrascale+"]


def test_synth_is_for_the_boards_target(small, monkeypatch):
    other = dataclasses.replace(load_board("kv260"), target=Target.PORTABLE)
    monkeypatch.setattr("tercel_hw.board.load_board", lambda name: other)
    assert tercel("synth", "--preset", "tiny", "--blocks", "control").exit_code == 0
    assert small == [Target.PORTABLE]


def test_synth_names_the_blocks_that_there_are(small):
    done = tercel("synth", "--preset", "tiny", "--blocks", "control,core.fpu")
    assert done.exit_code == 2
    assert "the accelerator has no block core.fpu; it has *, control" in done.stderr
