import json
from dataclasses import asdict, replace

import pytest

from tercel.config import PRESETS
from tercel.errors import TercelError
from tercel_hw.target import Target
from tercel_hw.top import ACCELERATORS
from tercel_sim.ddr import DDR
from tercel_sim.explore import tasks
from tercel_sim.explore.evaluation import predict_speed
from tercel_sim.explore.task_store import Task, source_hash
from tercel_sim.explore.tasks import reduced, run_task

TINY = ACCELERATORS["tiny"]


def test_a_prediction_survives_json():
    model = replace(PRESETS["tiny"], context=256)
    accelerator = replace(TINY, positions=256)
    task = Task.of(
        "predict",
        model=json.loads(model.to_json()),
        accelerator=accelerator.parameters(),
        ddr=asdict(DDR["kv260-15.0"]),
    )
    found = run_task(task.kind, task.arguments, source_hash())
    assert found == asdict(predict_speed(model, accelerator, DDR["kv260-15.0"]))
    assert json.loads(json.dumps(found)) == found


def test_a_worker_of_another_version_is_refused():
    with pytest.raises(TercelError, match="another version of tercel"):
        run_task("predict", "{}", "other")


def test_synthesis_gives_every_block(monkeypatch):
    def measure(blocks):
        from tercel_hw.synthesis.depth import Depth
        from tercel_hw.synthesis.resources import Resources
        from tercel_hw.synthesis.run import Measured

        depth = Depth(levels=0, through=0, start="", path=(), end="")
        return [
            Measured(name=block.name, resources=Resources(lut=1), depth=depth) for block in blocks
        ]

    monkeypatch.setattr("tercel_hw.synthesis.run.measure_blocks", measure)
    monkeypatch.setattr("tercel_hw.top.accelerator.Accelerator", lambda config: None)
    monkeypatch.setattr(
        tasks,
        "emit_rtlil",
        lambda component, name, target: (
            f"module \\{name}\n  cell \\{name}.control c\nend\nmodule \\{name}.control\nend\n"
        ),
    )
    task = Task.of("synthesise", accelerator=TINY.parameters(), target=Target.ULTRASCALE_PLUS.value)
    found = run_task(task.kind, task.arguments, source_hash())
    assert set(found) == {"*", "control"}
    assert found["control"]["lut"] == 1


@pytest.mark.parametrize("name", ACCELERATORS)
def test_a_reduced_accelerator_keeps_what_was_searched(name):
    config = ACCELERATORS[name]
    small = reduced(config)
    assert (small.nodes, small.ports, small.port_bytes) == (
        *(config.nodes, config.ports),
        config.port_bytes,
    )
    assert (small.tlmm.code, small.tlmm.tables) == (config.tlmm.code, config.tlmm.tables)
    assert small.chain == config.chain
    assert small.hidden == 128


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_rtl_of_a_design_is_compared():
    design = replace(TINY, chain=4)
    task = Task.of("check", accelerator=design.parameters(), passes=2)
    assert run_task(task.kind, task.arguments, source_hash()) == {"passes": 2, "failure": None}
