"""The steps from a configuration to a compiled accelerator; the tools are replaced."""

import json
from contextlib import contextmanager

import pytest

from tercel_hw.top import ACCELERATORS, AcceleratorConfig
from tercel_sim import verilator as build
from tercel_sim.accelerator_choice import with_nodes
from tercel_sim.build_cache import BuildCache
from tercel_sim.rtl_library import describe, rtl_library, rtl_verilog

TINY = with_nodes(ACCELERATORS["tiny"], 4)


@pytest.fixture
def emissions(verilator, monkeypatch, replace_emission):
    """Configurations of which Verilog was emitted; the library is the Verilog."""
    emitted = []

    def emit(config, name):
        emitted.append(config)
        return f"module {name}; // {len(emitted)}"

    def run(command, folder, program):
        (folder / "made").mkdir(exist_ok=True)
        (folder / "made" / "library.so").write_text((folder / "design.v").read_text())

    replace_emission(emit)
    monkeypatch.setattr(build, "_run", run)
    return emitted


@pytest.fixture
def cache(tmp_path):
    return BuildCache(tmp_path / "cache")


def test_steps_are_told_once(emissions, cache):
    steps = []

    @contextmanager
    def progress(step):
        steps.append(step)
        yield

    for _ in range(2):
        library = rtl_library(TINY, cache=cache, progress=progress)
    assert steps == ["emitting Verilog of tercel", "translating tercel", "compiling tercel"]
    assert library.read_text() == "module tercel; // 1"


def test_a_broken_verilog_is_emitted_again(emissions, cache):
    rtl_verilog(TINY, cache=cache)
    (entry,) = cache.entries()
    entry.path.write_text("module")
    assert rtl_verilog(TINY, cache=cache) == "module tercel; // 2"


def test_entries_tell_their_accelerator(emissions, cache):
    library = rtl_library(TINY, waves=True, cache=cache)
    verilog, simulation = sorted(cache.entries(), key=lambda entry: entry.path == library)
    title = "tiny: base3, 4 tables, 4 nodes, 2 ports of 64 bits"
    assert (verilog.manifest.title, simulation.manifest.title) == (title, f"{title}, with waves")
    parameters = json.loads(json.dumps(TINY.parameters()))
    assert verilog.manifest.about == {"parameters": parameters}
    assert simulation.manifest.about == {"parameters": parameters, "waves": True}


def test_waves_and_other_accelerators_are_other_entries(emissions, cache):
    made = [
        rtl_library(config, waves=waves, cache=cache)
        for config in (TINY, with_nodes(TINY, 2))
        for waves in (False, True)
    ]
    assert len({*made}) == 4
    assert len(emissions) == 2


def test_an_accelerator_in_words():
    assert describe(AcceleratorConfig()).startswith("kv260: ")
    assert describe(with_nodes(AcceleratorConfig(positions=2048), 3)).startswith("own: ")
