import json

import pytest
from typer.testing import CliRunner

from tercel.cli.app import app


def run(*arguments):
    return CliRunner().invoke(app, ["doctor", *arguments])


@pytest.fixture
def root(tmp_path):
    (tmp_path / "proc/device-tree").mkdir(parents=True)
    (tmp_path / "proc/device-tree/model").write_text("ZynqMP KV260")
    return tmp_path


def test_a_failure_is_shown_with_its_remedy_and_ends_with_1(root):
    """The device tree has no symbols, so nothing can be loaded without pynq."""
    result = run("--sysroot", str(root))
    assert result.exit_code == 1
    assert "failure device tree: the device tree has no symbol fpga_full" in result.stdout
    assert "        -> boot a device tree that is built with symbols (dtc -@)" in result.stdout


def test_a_system_without_failures_ends_with_0(root):
    (root / "proc/device-tree/__symbols__").mkdir()
    (root / "proc/device-tree/__symbols__/fpga_full").touch()
    result = run("--sysroot", str(root), "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert {"name", "level", "state", "remedy"} == set(found[0])
    assert {"board", "memory", "permissions"} <= {finding["name"] for finding in found}


def test_an_overlay_that_is_missing_is_a_failure(tmp_path):
    result = run("--overlay", str(tmp_path / "tercel.bit"), "--device", "uio", "--selftest")
    assert result.exit_code == 1
    assert "failure overlay: the overlay lacks the file" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--selftest"], "--selftest and --model need an accelerator: --overlay FILE"),
        (["--device", "rtl"], "device must be one of pynq, uio, not 'rtl'"),
        (["--overlay", "x.bit", "--sysroot", "."], "--sysroot examines files alone"),
    ],
)
def test_options_that_contradict(arguments, message):
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.output
