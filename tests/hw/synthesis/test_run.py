import gzip
import shutil
import subprocess
from dataclasses import replace

import pytest

from tercel.errors import TercelError
from tercel_hw.emission import emit_rtlil
from tercel_hw.float32 import Bfloat16Up
from tercel_hw.synthesis.blocks import Block
from tercel_hw.synthesis.run import measure_blocks, measure_timing
from tercel_hw.target import Target

pytest.importorskip("pyosys")

SQUARE = """
module \\square
  wire width 27 input 1 \\a
  wire width 45 output 2 \\y
  cell $mul \\product
    parameter \\A_SIGNED 1
    parameter \\B_SIGNED 1
    parameter \\A_WIDTH 27
    parameter \\B_WIDTH 18
    parameter \\Y_WIDTH 45
    connect \\A \\a
    connect \\B \\a [17:0]
    connect \\Y \\y
  end
end
"""
"""A product of 27 by 18 bits: one DSP48E2, but two DSP48E1, which multiply 25 by 18."""


@pytest.fixture(scope="module")
def block():
    return Block(name="up", top="up", rtlil=emit_rtlil(Bfloat16Up(), "up"))


@pytest.fixture(scope="module")
def synthesised(block, tmp_path_factory):
    """The block's results, the lines that told of them, and the cache with both."""
    folder, lines = tmp_path_factory.mktemp("synthesis"), []
    (found,) = measure_blocks([block], cache=folder, report=lines.append)
    return found, lines, folder


@pytest.fixture
def filled(synthesised, tmp_path):
    """A cache of the test's own with the block's results."""
    return shutil.copytree(synthesised[2], tmp_path / "filled")


def test_a_block_is_synthesised_once(block, synthesised, filled, monkeypatch):
    found, lines, _ = synthesised
    assert (found.name, found.resources.ff, found.resources.dsp) == ("up", 16, 0)
    assert 0 < found.resources.lut <= 20
    assert found.depth.levels in (1, 2, 3)
    assert lines == [f"up: {found.resources.lut} LUT, {found.depth.levels} levels"]

    def refuse(*arguments, **options):
        raise AssertionError("synthesised twice")

    monkeypatch.setattr("subprocess.run", refuse)
    assert measure_blocks([block], cache=filled) == [found]
    assert sorted("".join(path.suffixes) for path in filled.iterdir()) == [
        ".json.gz",
        ".netlist.gz",
    ]


def test_a_target_decides_the_family(tmp_path):
    """Block RAM and multipliers are the family's, and results of one are not the other's."""
    block = Block(name="square", top="square", rtlil=SQUARE)
    for target, dsp in ((Target.SERIES_7, 2), (Target.ULTRASCALE_PLUS, 1)):
        (found,) = measure_blocks([block], target=target, cache=tmp_path)
        assert found.resources.dsp == dsp


def test_a_broken_result_is_made_again(block, synthesised, filled):
    (stored,) = filled.glob("*.json.gz")
    whole = stored.read_bytes()
    for text in (b"", b"[]", whole[:40], *map(compressed, ("[]", "{}", '{"depth": {}}'))):
        stored.write_bytes(text)
        assert measure_blocks([block], cache=filled) == [synthesised[0]]
        assert stored.read_bytes() == whole


def test_a_broken_netlist_is_made_again(block, synthesised, filled):
    for path in filled.iterdir():
        path.write_bytes(path.read_bytes()[:50])
    assert measure_blocks([block], cache=filled) == [synthesised[0]]


def compressed(text):
    return gzip.compress(text.encode())


def test_a_part_alone_has_registers_around_it(block, filled):
    measured = measure_blocks([block], cache=filled)
    timing = measure_timing(measured, top="tercel", limit_ps=3600)
    worst = timing.paths[0]
    assert 500 < worst.ps < 2500
    assert worst.levels <= measured[0].depth.levels + 1
    assert timing.blocks[0].late == 0


def test_results_are_kept_where_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    measure_blocks([])
    assert (tmp_path / "tercel" / "synthesis").is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(TercelError, match="Not a directory"):
        measure_blocks([], cache=tmp_path / "file" / "cache")


def test_blocks_of_the_same_contents_are_synthesised_once(block, tmp_path, monkeypatch):
    processes = []
    start = subprocess.run

    def count(command, **options):
        processes.append(command)
        return start(command, **options)

    monkeypatch.setattr("subprocess.run", count)
    blocks = [replace(block, name=name) for name in ("first", "second")]
    first, second = measure_blocks(blocks, jobs=2, cache=tmp_path)
    assert (first.name, second.name) == ("first", "second")
    assert first.resources == second.resources
    assert len(processes) == 1


def test_a_failure_shows_the_end_of_its_log(tmp_path):
    block = Block(name="core.bad", top="bad", rtlil="module \\bad\n  nonsense\nend\n")
    with pytest.raises(
        TercelError, match=r"the synthesis of core\.bad failed, see .*\.log:\n"
    ) as e:
        measure_blocks([block], cache=tmp_path)
    assert "ERROR" in str(e.value)
    assert [path.suffix for path in tmp_path.iterdir()] == [".log"]
