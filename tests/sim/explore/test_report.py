import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from tercel_hw.synthesis.resources import Resources
from tercel_sim.explore.design import Design
from tercel_sim.explore.evaluation import Evaluation, Speed
from tercel_sim.explore.report import Exploration
from tercel_sim.explore.resource_model import ResourceModel


@pytest.fixture
def exploration(small_space):
    """The preset, a better design, a smaller one and one that both dominate."""

    def evaluation(rate, lut, **changes):
        return Evaluation(
            design=replace(small_space.standard, **changes),
            speed=Speed(tokens_per_second=rate, first_token_ms=1000 / rate, verify_ms=2000 / rate),
            shares=dict.fromkeys(("lut", "ff", "dsp", "bram36", "uram"), 0.0) | {"lut": lut},
        )

    found = (
        evaluation(100, 0.5),
        evaluation(101, 0.5, chain=4),
        evaluation(50, 0.2, nodes=1),
        evaluation(40, 0.6, nodes=4),
    )
    better = found[1].design.short
    return Exploration(
        space=small_space,
        memory="kv260-15.0, 15 GB/s",
        found=found,
        synthesised={better: {"lut": 2345.0}},
        checked={better: {"passes": 4, "failure": None}},
    )


def test_the_front_and_what_dominates_the_preset(exploration):
    assert [each.speed.tokens_per_second for each in exploration.front] == [101, 50]
    assert [each.design.chain for each in exploration.dominating()] == [4]
    assert exploration.dominating(0.05) == []  # within the error of the models


def test_the_table_has_the_front_and_the_preset(exploration):
    lines = exploration.as_markdown().splitlines()
    assert len(lines) == 2 + 3
    assert {line.count("|") for line in lines} == {lines[0].count("|")}
    assert "chain 4" in lines[2]
    assert "2,345 LUT by Yosys, RTL equal" in lines[2]
    assert "preset, dominated by 1" in lines[4]
    assert "| 50 % |" in lines[4]
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(exploration.as_table())
    assert "cycle model" in console.export_text()


def test_json_has_every_design(exploration):
    found = json.loads(json.dumps(exploration.to_dict()))
    assert [each["front"] for each in found["designs"]] == [False, True, True, False]
    assert found["preset"] == exploration.space.standard.to_dict()
    fields = Design.__dataclass_fields__
    (better,) = found["preset_dominated_by"]
    assert Design(**better) == exploration.found[1].design
    assert set(fields) <= set(found["designs"][0])
    assert found["evidence"].startswith("speed: cycle model; resources: estimate")


def test_the_evidence_names_what_the_estimate_was_judged_by(exploration):
    assert exploration.evidence == "speed: cycle model; resources: estimate fitted to syntheses"
    points = exploration.space.resources.points
    twice = Resources(lut=2 * points[0].blocks["core.engine"].lut)
    judge = replace(points[0], blocks={"core.engine": twice}, held_out=True)
    space = replace(exploration.space, resources=ResourceModel([*points, judge]))
    judged = replace(exploration, space=space)
    assert judged.evidence.endswith("syntheses, LUT 50 % off in held-out core.engine")


def test_the_page_has_a_point_for_every_design(exploration):
    text = exploration.as_html()
    assert text.count(exploration.found[3].design.short) == 1
    for group in ("dominated", "front", "preset"):
        assert f'"name":"{group}"' in text
    assert "<script" in text
