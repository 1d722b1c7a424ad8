import json
import subprocess
from pathlib import Path

import pytest

from tercel.errors import TercelError
from tercel_hw.export.bundle import MODULE, bundle, read_resources
from tercel_hw.export.files import write_files
from tercel_sim.verilator import find_verilator

FILES = ["a.v", "a.json", "a_registers.h", "a_registers.md", "a.vlt", "a.core"]


@pytest.mark.slow
def test_two_runs_are_equal_and_lint_is_silent(tiny, narrow_board, tmp_path):
    files = bundle(tiny, stem="a", board=narrow_board)
    assert files == bundle(tiny, stem="a", board=narrow_board)
    assert list(files) == [*FILES, "tercel_top.v", "settings.tcl", "build.tcl"]
    assert all(text.isascii() for text in files.values())
    assert "/work" not in files["a.v"]
    assert str(Path.home()) not in files["a.v"]
    write_files(tmp_path, files)
    for sources in (["a.v"], ["tercel_top.v", "a.v"]):
        top = f"{MODULE}_top" if len(sources) > 1 else MODULE
        command = [find_verilator(), "--lint-only", "-Wall", "--top-module", top, "a.vlt"]
        done = subprocess.run([*command, *sources], cwd=tmp_path, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")


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
        read_resources(tiny, path)


def test_reports_must_be_complete(tiny, tmp_path):
    path = tmp_path / "report.json"
    report = {"format": "tercel synthesis", "parameters": tiny.parameters(), "complete": False}
    path.write_text(json.dumps(report))
    with pytest.raises(TercelError, match="is of some blocks only"):
        read_resources(tiny, path)
    path.write_text(json.dumps(report | {"complete": True}))
    assert read_resources(tiny, path)["complete"]
