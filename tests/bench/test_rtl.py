"""The benchmark of the simulated accelerator: its cases, what it keeps, what it concludes."""

import json
import multiprocessing
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
import rtl
import rtl_cases
import rtl_report
from rtl_cases import CASES, QUICK, Case
from rtl_whole import Figure, WholeModels, needed

from tercel_hw.top import ACCELERATORS
from tercel_sim.cycle_account import CycleAccount
from tercel_sim.lockstep import Lockstep, MismatchError

MEMORY = "kv260-15.0"
PUBLISHED = json.loads(rtl_report.PUBLISHED.read_text())


def found(cycles, *, attention=0, moving=0.5):
    """A result as ``run_case`` gives it."""
    account = CycleAccount(
        moving=moving * cycles, refreshing=0, turning=9, full=0, latency=0, unasked=5
    )
    counted = dict.fromkeys(("compute", "tape_stall", "table_stall", "head"), cycles // 5)
    counted |= {"cycles": cycles, "attention": attention, "bytes_read": 10, "bytes_written": 3}
    return {"counted": counted, "account": vars(account), "start": 77, "digest": "abc"}


def layer(base, nodes=8):
    return Case(model="0.7b", part="layer", nodes=nodes, base=base, memory=MEMORY)


def chunk(base):
    return Case(model="0.7b", part="chunk", nodes=8, base=base, memory=MEMORY)


def whole(base, nodes=1, memory=MEMORY):
    return Case(model="0.7b", part="whole", nodes=nodes, base=base, memory=memory)


def test_the_cases():
    kinds = [(case.model, case.part) for case in CASES.values()]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        ("2b", "head"): 10,
        ("0.7b", "head"): 18,
        ("0.7b", "whole"): 6,
        ("2b", "layer"): 18,
        ("0.7b", "layer"): 18,
        ("0.7b", "chunk"): 48,
    }
    assert all(case.name == name for name, case in CASES.items())
    assert set(QUICK) < set(CASES)
    assert whole(128).config.layers == 24
    assert layer(0).config.layers == 1
    assert layer(0).asked == {"nodes": 8, "base": 0, "head_rows": None, "top_k": 0}
    assert whole(128).asked == {"nodes": 1, "base": 128, "head_rows": 32002, "top_k": 8}


def test_a_digest_knows_what_decides_a_result():
    cases = [case for case in CASES.values() if case.part != "chunk"]
    assert len({case.digest for case in cases}) == len(cases)
    assert chunk(0).digest == layer(0).digest != chunk(8).digest
    assert layer(128).digest == layer(128).digest


def test_patterns_choose():
    assert rtl.chosen([], quick=True) == [CASES[name] for name in QUICK]
    assert rtl.chosen([], quick=False) == list(CASES.values())
    assert len(rtl.chosen(["2b/head/*", "*/whole/k8/*"], quick=False)) == 13
    with pytest.raises(SystemExit, match="no case matches 3b"):
        rtl.chosen(["3b*"], quick=True)


def test_results_are_kept_by_accelerator_and_case(tmp_path):
    path = tmp_path / "build" / "rtl.json"
    case = layer(0)
    first = rtl.Results(path, "one")
    assert first.get(case) is None
    first.add(case, {"digest": case.digest, "cycles": 5})
    assert rtl.Results(path, "two").get(case) is None
    rtl.Results(path, "two").add(case, {"digest": "of another program", "cycles": 6})
    assert rtl.Results(path, "two").get(case) is None
    assert rtl.Results(path, "one").get(case) == {"digest": case.digest, "cycles": 5}
    assert list(path.parent.iterdir()) == [path]


def test_an_interrupt_ends_what_runs():
    begun = []

    def interrupted():
        with rtl.processes(1) as pool:
            pool.submit(time.sleep, 250)
            begun.extend(process.pid for process in multiprocessing.active_children())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert begun
    # The pool's own thread may be the one that takes note of an end: so ask the system.
    limit = time.monotonic() + 30
    while any(map(exists, begun)):
        assert time.monotonic() < limit
        time.sleep(0.05)


def exists(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """Cases on a tiny accelerator."""
    preset = ACCELERATORS["tiny"]
    four_lanes = replace(preset, tlmm=replace(preset.tlmm, nodes=4))
    monkeypatch.setattr(rtl_cases, "ACCELERATOR", four_lanes)
    monkeypatch.setattr(rtl_cases, "IMAGES", tmp_path)

    def make(part, nodes, base):
        case = Case(model="tiny", part=part, nodes=nodes, base=base, memory=MEMORY)
        rtl_cases.make_images([case])
        return case

    return make


@pytest.mark.parametrize(
    ("part", "nodes", "base"), [("whole", 4, 40), ("layer", 1, 0), ("head", 3, 7)]
)
def test_a_case_is_measured_and_compared(tiny, verilator, monkeypatch, part, nodes, base):
    case, compared = tiny(part, nodes, base), []

    class Compared(Lockstep):
        def run_pass(self, *arguments, **options):
            result = super().run_pass(*arguments, **options)
            compared.append(result)
            return result

    monkeypatch.setattr(rtl_cases, "Lockstep", Compared)
    result = rtl_cases.run_case(case)
    assert json.loads(json.dumps(result)) == result
    (golden,) = compared
    assert golden.hidden.keys() == set(range(nodes))
    assert (golden.argmax is None) == (golden.top_ids is None) == (part == "layer")
    cycles = result["counted"]["cycles"]
    assert sum(result["account"].values()) == pytest.approx(cycles)
    assert rtl_cases.predict_case(case, result["start"]) == pytest.approx(cycles, rel=0.05)
    assert result["digest"] == case.digest != replace(case, base=base + 1).digest


def test_a_bit_that_differs_is_an_error(tiny, verilator, monkeypatch):
    case = tiny("layer", 1, 9)
    restore = Lockstep.restore

    def damaging(self, cache, length):
        restore(self, cache, length)
        word = self.rtl.memory_map.block(0)
        self.rtl.board.write(word, self.rtl.board.read(word, 1) ^ 1)

    monkeypatch.setattr(Lockstep, "restore", damaging)
    with pytest.raises(MismatchError):
        rtl_cases.run_case(case)


@pytest.fixture
def models():
    """Makes figures of 0.7b: 10,000 cycles a position predicted, beside 1,000,000."""

    def make(results):
        predicted = {
            case: 1_000_000 + 10_000 * case.base + 1000 * case.nodes
            for case in (*needed("0.7b", MEMORY), *results)
        }
        return WholeModels("0.7b", MEMORY, results, predicted).figures()

    return make


def test_figures_of_the_cycle_model(models):
    # Predicted: 1,008,000.
    figures = models({layer(0): found(1_050_000, attention=10)})
    evidence = "cycle model (error at most 4.0 % above)"
    assert figures["decode 128"] == Figure(value=250e6 / 2_281_000, evidence=evidence)
    assert figures["verify"] == Figure(value=2_288_000 / 2_281_000, evidence=evidence)
    cycles = sum(1_008_000 + 10_000 * base for base in range(0, 64, 8))
    assert figures["first token 64"].value == pytest.approx(1e3 * cycles / 250e6)
    assert figures["first token 64"].evidence == evidence
    cycles = sum(1_008_000 + 10_000 * base for base in range(0, 512, 8))
    assert figures["first token 512"].value == pytest.approx(1e3 * cycles / 250e6)
    assert "bandwidth" not in figures
    assert "attention" not in figures
    assert models({})["decode 0"].evidence == "cycle model (error not measured)"


def test_figures_of_simulated_passes(models):
    results = {
        whole(128): found(2_000_000, moving=0.93),
        whole(128, 8): found(2_100_000),
        **{
            chunk(base): found(1_008_000 + 10_000 * base, attention=800 + base)
            for base in range(0, 128, 8)
        },
    }
    figures = models(results)
    simulated = "cycle-accurate simulation"
    assert figures["decode 128"] == Figure(value=125.0, evidence=simulated)
    assert figures["decode 0"].evidence == "cycle model (error at most 14.1 % above)"
    assert figures["verify"] == Figure(value=1.05, evidence=simulated)
    assert figures["bandwidth"] == Figure(value=pytest.approx(93), evidence=simulated)
    # A cycle a position more, in 24 layers.
    cycles = 24 * sum(800 + base for base in range(0, 128, 8))
    assert figures["attention"].value == pytest.approx(1e3 * cycles / 250e6)
    assert figures["attention"].evidence == f"{simulated} of one layer in each of the 16 passes"
    del results[chunk(64)]
    assert "attention" not in models(results)


def test_quantities_have_names_that_figures_have(models):
    cases = whole(128), *map(chunk, range(0, 128, 8))
    results = {case: found(1_000_000) for case in cases}
    named = {quantity["name"] for quantity in PUBLISHED["quantities"]}
    for name in models(results):
        assert f"0.7b {name}" in named
        assert f"2b {name}" in named or name in ("bandwidth", "attention")
    for quantity in PUBLISHED["quantities"]:
        assert quantity["better"] in ("more", "less")
        assert {each["work"] for each in quantity["published"]} <= PUBLISHED["works"].keys()
    assert PUBLISHED["target_memory"] in rtl_cases.MEMORIES


@pytest.mark.parametrize(
    ("name", "value", "judged"),
    [
        ("0.7b decode 128", 70.0, "| >= 70 | met |"),
        ("0.7b decode 128", 69.9, "| >= 70 | **missed** |"),
        ("0.7b first token 128", 170.0, "| <= 170 | met |"),
        ("0.7b first token 128", 171.0, "| <= 170 | **missed** |"),
        ("0.7b decode 0", 1.0, "|  |  |"),
    ],
)
def test_targets_are_judged_at_their_memory(name, value, judged):
    figure = Figure(value=value, evidence="seen")
    text = rtl_report.compare({name: {MEMORY: figure}}, PUBLISHED)
    assert judged in text
    assert "seen" in text
    elsewhere = rtl_report.compare({name: {"kv260-16.0": figure}}, PUBLISHED)
    assert "met" not in elsewhere
    assert "missed" not in elsewhere


def test_the_report_has_a_table_for_each_group():
    results = {
        whole(128): found(2_000_000),
        layer(0, 1): found(1_000),
        layer(1024): found(3_000),
        replace(layer(0, 1), model="2b"): found(5_000),
        chunk(8): found(4_000, attention=321),
        replace(chunk(8), memory="kv260-16.0"): found(4_000, attention=123),
    }
    predicted = dict.fromkeys(results, 1_000)
    text = rtl_report.report(results, predicted, {}, "0123")
    assert "`0123`" in text
    for title in ("`0.7b`: whole passes", "`0.7b`: one layer", "`2b`: one layer without the head"):
        assert f"## {title}" in text
    assert "one layer and the head\n" not in text.replace("after one layer", "")
    assert "| 1 | 0 | 15.0 GB/s | 1,000 | 0.00 | 0.000 | 50.0 % | 1,000 | +0.00 % |" in text
    assert "| -66.67 % |" in text
    assert "| 8 | 321 | 123 |\n| 16 |  |  |" in text
    assert text.index("whole passes") < text.index("one layer without")


def test_the_document_has_the_notes_of_the_report():
    document = (Path(rtl_report.__file__).parents[1] / "docs" / "simulation.md").read_text()
    assert rtl_report.NOTES in document
    whole_models = rtl_report.compare({}, PUBLISHED).partition("Targets:")[2]
    assert whole_models.strip() in document
