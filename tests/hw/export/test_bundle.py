import dataclasses
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tercel.errors import TercelError
from tercel_hw.board import board_folder
from tercel_hw.export.bundle import bundle, read_resources
from tercel_hw.export.files import write_files
from tercel_hw.export.module_name import MODULE
from tercel_hw.target import Target

REGISTERS = [f"a_registers.{suffix}" for suffix in ("h", "md", "rdl", "svd")]
FILES = ["a.json", *REGISTERS, "a.vlt", "a.core"]
FLOW = sorted(path.name for path in (board_folder() / "flow").glob("*.tcl"))
SCRIPTS = [
    "tercel_top.v",
    "settings.tcl",
    *(f"flow/{name}" for name in FLOW),
    "overlay/a.json",
    "overlay/a.dtso",
    "overlay/shell.json",
]
SOURCES = {
    Target.PORTABLE: ["a.v"],
    Target.SERIES_7: ["a.v"],
    Target.ULTRASCALE_PLUS: ["a.v", "a_primitives.v"],
}


@pytest.mark.slow
@pytest.mark.parametrize("target", Target, ids=lambda target: target.value)
def test_two_runs_are_equal_and_lint_is_silent(target, tiny, narrow_board, lint, tmp_path):
    files = bundle(tiny, stem="a", board=narrow_board, target=target)
    assert files == bundle(tiny, stem="a", board=narrow_board, target=target)
    assert list(files) == [*SOURCES[target], *FILES, *SCRIPTS]
    assert all(text.isascii() for text in files.values())
    assert "/work" not in files["a.v"]
    assert str(Path.home()) not in files["a.v"]
    write_files(tmp_path, files)
    lint(MODULE, "a.vlt", *SOURCES[target])
    lint(f"{MODULE}_top", "a.vlt", "tercel_top.v", *SOURCES[target])


@pytest.mark.slow
def test_two_accelerators_live_in_one_design(tiny, lint, tmp_path):
    """Their modules had 359 names in common."""
    files = {}
    for name, target in (("first", Target.PORTABLE), ("other", Target.ULTRASCALE_PLUS)):
        files |= bundle(tiny, stem=name, module=name, target=target)
    write_files(tmp_path, files)
    ports = files["first.v"].split("module first(", 1)[1].split(");", 1)[0].replace("\n", "")
    names = [port.strip() for port in ports.split(",")]
    pins = ", ".join(f".{name}({name})" for name in names)
    widths = {
        port: described
        for bus in json.loads(files["first.json"])["interfaces"].values()
        for port, described in bus["ports"].items()
    }
    inputs = [port for port in names if widths[port]["direction"] == "in"]
    declared = ", ".join(f"input [{widths[port]['width'] - 1}:0] {port}" for port in inputs)
    outputs = [port for port in names if port not in inputs]
    both = [f"output [{widths[port]['width'] - 1}:0] {port}{n}" for port in outputs for n in (1, 2)]
    parts = []
    for number, name in enumerate(("first", "other"), 1):
        own = pins
        for port in outputs:
            own = own.replace(f".{port}({port})", f".{port}({port}{number})")
        parts.append(f"  {name} part{number}({own});")
    top = "\n".join([f"module soc({declared}, {', '.join(both)});", *parts, "endmodule", ""])
    (tmp_path / "soc.v").write_text(top)
    sources = ["first.vlt", "other.vlt", "soc.v", "first.v", "other.v", "other_primitives.v"]
    lint("soc", *sources)
    if shutil.which("iverilog"):
        command = ["iverilog", "-g2012", "-s", "soc", "-o", "a", *sources[2:]]
        subprocess.run(command, cwd=tmp_path, check=True, timeout=200)


@pytest.fixture
def no_verilog(monkeypatch):
    """Nothing is elaborated, which takes long."""
    monkeypatch.setattr("tercel_hw.export.bundle.Accelerator", lambda config: config)
    monkeypatch.setattr(
        "tercel_hw.export.bundle.emit_verilog", lambda part, name, target: "module;\n"
    )


def test_models_of_primitives_are_for_lint_alone(no_verilog, tiny, narrow_board):
    files = bundle(tiny, stem="a", board=narrow_board)
    assert list(files) == [*SOURCES[Target.ULTRASCALE_PLUS], *FILES, *SCRIPTS]
    assert "module DSP48E2" in files["a_primitives.v"]
    assert files["a_primitives.v"].splitlines()[1].endswith("not for synthesis.")
    others = {name for name, text in files.items() if "a_primitives" in text}
    assert others == {"a.vlt", "a.core"}
    portable = bundle(tiny, stem="a", board=narrow_board, target=Target.PORTABLE)
    assert list(portable) == [*SOURCES[Target.PORTABLE], *FILES, *SCRIPTS]
    assert not any("primitives" in portable[name] for name in others)


def test_without_a_board_it_is_portable(no_verilog, tiny):
    assert list(bundle(tiny, stem="a")) == [*SOURCES[Target.PORTABLE], *FILES]
    wanted = bundle(tiny, stem="a", target=Target.ULTRASCALE_PLUS)
    assert list(wanted) == [*SOURCES[Target.ULTRASCALE_PLUS], *FILES]


def test_a_name_is_in_everything_that_two_designs_would_share(monkeypatch, no_verilog, tiny):
    monkeypatch.setattr(
        "tercel_hw.export.bundle.emit_verilog", lambda part, name, target: f"module {name};\n"
    )
    files = bundle(tiny, stem="a", module="mine")
    assert files["a.v"] == "module mine;\n"
    assert json.loads(files["a.json"])["module"] == "mine"
    assert "name: tercel:accelerator:mine:" in files["a.core"]
    assert "toplevel: mine\n" in files["a.core"]
    assert "#define MINE_CONTROL 0x10u" in files["a_registers.h"]
    assert "TERCEL_" not in files["a_registers.h"]
    assert files["a_registers.rdl"].startswith("addrmap mine {")
    assert files["a_registers.svd"].count("<name>mine</name>") == 2


def test_a_board_brings_its_files_under_the_name(no_verilog, tiny, narrow_board):
    files = bundle(tiny, stem="a", module="mine", board=narrow_board)
    assert "module mine_top (" in files["mine_top.v"]
    assert "    mine accelerator (" in files["mine_top.v"]
    assert "top {mine_top}" in files["settings.tcl"]
    assert f"<baseAddress>{narrow_board.control_base:#x}</baseAddress>" in files["a_registers.svd"]
    assert files["overlay/a.json"] == files["a.json"]
    assert json.loads(files["overlay/shell.json"]) == {"shell_type": "XRT_FLAT", "num_slots": "1"}
    assert f"sha256 {{{json.loads(files['a.json'])['sha256']}}}" in files["settings.tcl"]


def test_a_name_that_the_design_instantiates_is_refused(no_verilog, tiny):
    assert bundle(tiny, stem="a", module="LUT3")
    with pytest.raises(TercelError, match="--name must not be 'LUT3', which the design inst"):
        bundle(tiny, stem="a", module="LUT3", target=Target.ULTRASCALE_PLUS)


def test_a_boards_report_is_of_its_target(no_verilog, tiny, narrow_board, tmp_path):
    report = {"format": "tercel synthesis", "parameters": tiny.parameters(), "complete": True}
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny/resources.json").write_text(json.dumps(report | {"target": "ultrascale+"}))
    board = dataclasses.replace(narrow_board, folder=tmp_path / "other", preset="tiny")

    def resources(target):
        return json.loads(bundle(tiny, stem="a", board=board, target=target)["a.json"])["resources"]

    assert (
        resources(None) == resources(Target.ULTRASCALE_PLUS) == report | {"target": "ultrascale+"}
    )
    assert resources(Target.PORTABLE) is None


@pytest.mark.parametrize(
    ("report", "message"),
    [
        ("{", "cannot be read"),
        ("[]", "is no report of `tercel synth`"),
        ('{"format": "other"}', "is no report of `tercel synth`"),
        (
            '{"format": "tercel synthesis", "parameters": {}, "complete": true}',
            "is of an accelerator with other parameters",
        ),
    ],
)
def test_reports_of_something_else_are_refused(report, message, tiny, tmp_path):
    path = tmp_path / "report.json"
    path.write_text(report)
    with pytest.raises(TercelError, match=message):
        read_resources(tiny, Target.PORTABLE, path)


def test_reports_must_be_complete(tiny, tmp_path):
    path = tmp_path / "report.json"
    report = {"format": "tercel synthesis", "parameters": tiny.parameters(), "complete": False}
    report |= {"target": "ultrascale+"}
    path.write_text(json.dumps(report))
    with pytest.raises(TercelError, match="is of some blocks only"):
        read_resources(tiny, Target.ULTRASCALE_PLUS, path)
    path.write_text(json.dumps(report | {"complete": True}))
    assert read_resources(tiny, Target.ULTRASCALE_PLUS, path)["complete"]


@pytest.mark.parametrize("found", ["ultrascale+", None])
def test_reports_must_be_of_the_target(found, tiny, tmp_path):
    path = tmp_path / "report.json"
    report = {"format": "tercel synthesis", "parameters": tiny.parameters(), "complete": True}
    path.write_text(json.dumps(report | ({"target": found} if found else {})))
    with pytest.raises(
        TercelError, match=f"for the target {found!r}, but .* 'portable'".replace("+", "[+]")
    ):
        read_resources(tiny, Target.PORTABLE, path)
