from dataclasses import replace

import pytest

from tercel.errors import TercelError
from tercel_hw.synthesis.resources import Resources
from tercel_hw.top import ACCELERATORS
from tercel_sim.explore import resource_model as module
from tercel_sim.explore.resource_model import (
    Measured,
    ResourceModel,
    load_calibration,
    resource_model,
    summary,
)

KV260 = ACCELERATORS["kv260"]


def config(nodes=8, ports=4, tables=77, code="base3", **others):
    tlmm = replace(KV260.tlmm, nodes=nodes, tables=tables, code=code)
    return replace(KV260, tlmm=tlmm, ports=ports, **others)


def measured(accelerator, held_out=False, **blocks):
    found = {name.replace("_", ".", 1): amounts for name, amounts in blocks.items()}
    return Measured(config=accelerator, blocks=found, held_out=held_out)


def law(accelerator):
    """Resources that grow as the model's terms do."""
    lanes, word = accelerator.nodes, accelerator.word_bytes
    tables = accelerator.tlmm.tables
    return {
        "core_engine": Resources(lut=100 + 20 * lanes * tables, ff=7 * tables),
        "core_attention": Resources(lut=30 * lanes + 2 * lanes * word, dsp=lanes * word + 5),
    }


def points(*configs):
    return [measured(each, **law(each)) for each in configs]


SIZES = [(1, 1, 16), (2, 2, 24), (4, 1, 30), (8, 4, 77), (3, 4, 32), (1, 4, 64)]


def test_a_law_of_the_terms_is_found_again():
    model = ResourceModel(
        points(*(config(nodes, ports, tables, chain=8) for nodes, ports, tables in SIZES))
    )
    other = config(6, 2, 50, chain=8)
    expected = sum(law(other).values(), Resources())
    found = model.estimate(other)
    assert found.dsp == expected.dsp
    assert found.lut == pytest.approx(expected.lut, rel=0.001)
    assert found.ff == pytest.approx(expected.ff, abs=1)
    assert found.bram36 == 0


def test_points_held_out_judge_and_are_not_fitted():
    fitted = points(*(config(*size, chain=8) for size in SIZES))
    wrong = measured(
        config(5, chain=8), True, core_engine=Resources(lut=1), core_attention=Resources()
    )
    errors = ResourceModel([*fitted, wrong]).errors()
    assert errors["lut"][0] > 100
    assert errors["dsp"] == []


def test_a_point_of_some_blocks_is_judged_by_them():
    fitted = points(*(config(*size, chain=8) for size in SIZES))
    part = measured(config(2, chain=8), True, core_attention=law(config(2))["core_attention"])
    assert ResourceModel([*fitted, part]).errors()["lut"] == pytest.approx([0], abs=0.01)


def test_engines_of_different_codes_are_fitted_apart():
    model = ResourceModel(points(config(1, chain=8), config(2, chain=8)))
    with pytest.raises(TercelError, match=r"the calibration has no core\.engine index5"):
        model.estimate(config(code="index5"))


def test_accelerators_without_ultra_ram_are_others():
    model = ResourceModel(points(config(1, chain=8), config(2, chain=8)))
    with pytest.raises(TercelError, match="no accelerator without UltraRAM"):
        model.estimate(config(chain=8, ultra_ram=False))


def test_growth_that_few_points_leave_open_is_shared():
    model = ResourceModel(
        [
            measured(config(nodes, 1, 16, chain=8), core_rotary=Resources(lut=100 * nodes))
            for nodes in (1, 8)
        ]
    )
    # Lanes alone, and lanes with the width of a word, explain it: a wider word tells them apart.
    narrow, wide = (model.estimate(config(8, ports, 16, chain=8)).lut for ports in (1, 4))
    assert narrow == pytest.approx(800, rel=0.01)
    assert 1.2 * narrow < wide < 3 * narrow


@pytest.mark.parametrize(
    ("words", "ports", "uram", "bram"),
    [(16384, 4, 32, 0), (4096, 4, 8, 0), (4096, 1, 2, 0), (2048, 4, 0, 28.5), (128, 4, 0, 2)],
)
def test_the_memory_of_the_tape_buffer_is_its_geometrys(words, ports, uram, bram):
    accelerator = config(8, ports, 16, chain=8, tape_words=words)
    model = ResourceModel([measured(accelerator, **{"memory_channel_tape": Resources(uram=99)})])
    found = model.estimate(accelerator)
    assert (found.uram, found.bram36) == (uram, bram)


def test_no_resources_are_negative():
    model = ResourceModel(
        [
            measured(config(nodes), core_rotary=Resources(lut=amount))
            for nodes, amount in ((1, 1000), (2, 200), (4, 100))
        ]
    )
    assert model.estimate(config(16)).lut >= 0


def test_a_model_needs_points():
    with pytest.raises(TercelError, match="needs a synthesis to be fitted to"):
        ResourceModel([])


def test_errors_are_summarised():
    found = summary({"lut": [0.1, -0.3], "ff": []})
    assert found == {"lut": {"mean": pytest.approx(0.2), "largest": 0.3, "points": 2}}


def test_the_stored_calibration_gives_the_kv260_itself():
    model = resource_model()
    (stored,) = (point for point in model.points if point.config == KV260)
    estimated, total = model.estimate(KV260), stored.total
    for kind, error in (("lut", 0.1), ("ff", 0.1), ("dsp", 0.05), ("bram36", 0.1), ("uram", 0.05)):
        assert getattr(estimated, kind) == pytest.approx(getattr(total, kind), rel=error), kind


@pytest.mark.parametrize(
    "text", ["", "[]", '{"points": [{}]}', '{"points": [{"parameters": {"x": 1}}]}']
)
def test_a_broken_calibration_is_refused(tmp_path, text):
    path = tmp_path / "calibration.json"
    path.write_text(text)
    with pytest.raises(TercelError):
        load_calibration(path)
    with pytest.raises(TercelError, match="cannot be used"):
        load_calibration(tmp_path / "none.json")
    assert module.CALIBRATION.is_file()
