"""Commands in an incomplete environment: the table of docs/environment.md."""

import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest
from hindrances import full_disk, names, read_only
from typer.testing import CliRunner

from tercel.cli.app import app

COMMANDS = {
    "simulate": ("simulate",),
    "run": ("run", "--device", "rtl", "--prompt", "a", "--max-tokens", "1"),
}


@pytest.fixture(params=COMMANDS)
def command(request, verilator, tmp_path, monkeypatch, replace_emission):
    """Runs a command with a cache of the test's own; emission is a defect unless replaced."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    replace_emission(None)
    return lambda: CliRunner().invoke(app, COMMANDS[request.param])


def fails(result, message):
    """One line and the exit status of an error."""
    assert result.exit_code == 2, (result.output, result.exception)
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert message in line


@pytest.mark.parametrize("tool", ["g++", "make", "perl"])
def test_a_missing_tool(command, monkeypatch, tmp_path, tool):
    found = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name == tool else found(name))
    fails(command(), f"error: a compiled simulation needs {tool}: apt install {tool}")
    assert names(tmp_path) == []


def test_a_cache_that_cannot_be_written(command, tmp_path):
    with read_only(tmp_path):
        result = command()
    fails(result, f"the cache of compiled accelerators, {tmp_path}/tercel/simulation, cannot be")


def test_a_file_where_the_cache_should_be(command, tmp_path):
    (tmp_path / "tercel").touch()
    fails(command(), "cannot be used: Not a directory; choose another folder with XDG_CACHE_HOME")


def test_no_home_directory(command, monkeypatch):
    def home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", home)
    fails(command(), "set HOME or XDG_CACHE_HOME")
    fails(CliRunner().invoke(app, ["cache"]), "set HOME or XDG_CACHE_HOME")


def test_a_full_disk(command, replace_emission, tmp_path):
    replace_emission(lambda config, name: "//" * 100_000)
    with full_disk(after=10_000):
        result = command()
    fails(result, "cannot be used: File too large; free some space, or choose another folder")
    assert names(tmp_path / "tercel" / "simulation") == []


def test_ctrl_c_while_verilog_is_emitted(command, replace_emission, tmp_path):
    def interrupt(config, name):
        raise KeyboardInterrupt

    replace_emission(interrupt)
    result = command()
    assert (result.exit_code, result.output) == (130, "")
    assert names(tmp_path / "tercel" / "simulation") == []


def test_progress_is_shown_on_a_terminal(command, replace_emission, monkeypatch):
    steps = []

    @contextmanager
    def terminal(step):
        steps.append(step)
        yield

    def interrupt(config, name):
        raise KeyboardInterrupt

    replace_emission(interrupt)
    monkeypatch.setattr("tercel_sim.progress.terminal", terminal)
    monkeypatch.setattr("tercel_sim.rtl_device.terminal", terminal)
    command()
    assert steps == ["emitting Verilog of tercel"]
