import json
from dataclasses import asdict, replace
from types import SimpleNamespace

import pytest

from tercel.config import PRESETS
from tercel.errors import TercelError
from tercel_hw.synthesis.resources import Resources
from tercel_hw.target import Target
from tercel_hw.top import ACCELERATORS
from tercel_sim.ddr import DDR
from tercel_sim.explore import tasks
from tercel_sim.explore.evaluation import predict_speed
from tercel_sim.explore.task_pool import task_pool
from tercel_sim.explore.task_store import Task, TaskStore, source_hash
from tercel_sim.explore.tasks import reduced, run_task

TINY = ACCELERATORS["tiny"]


@pytest.mark.parametrize("memory", ["kv260-15.0", "kv260-banks"])
def test_a_prediction_survives_json(memory):
    model = replace(PRESETS["tiny"], context=256)
    accelerator = replace(TINY, positions=256)
    task = Task.of(
        "predict",
        model=json.loads(model.to_json()),
        accelerator=accelerator.parameters(),
        ddr=asdict(DDR[memory]),
    )
    found = run_task(task.kind, task.arguments, source_hash())
    assert found == asdict(predict_speed(model, accelerator, DDR[memory]))
    assert json.loads(json.dumps(found)) == found


def test_a_worker_of_another_version_is_refused():
    with pytest.raises(TercelError, match="another version of tercel"):
        run_task("predict", "{}", "other")


@pytest.mark.parametrize("target", [Target.ULTRASCALE_PLUS, Target.SERIES_7])
def test_synthesis_gives_every_block(monkeypatch, target):
    def measure(blocks, *, target):
        asked.append(target)
        return [SimpleNamespace(name=block.name, resources=Resources(lut=1)) for block in blocks]

    asked = []
    monkeypatch.setattr("tercel_hw.synthesis.run.measure_blocks", measure)
    monkeypatch.setattr("tercel_hw.top.accelerator.Accelerator", lambda config: None)
    monkeypatch.setattr(
        tasks,
        "emit_rtlil",
        lambda component, name, target: (
            f"module \\{name}\n  cell \\{name}.control c\nend\nmodule \\{name}.control\nend\n"
        ),
    )
    task = Task.of("synthesise", accelerator=TINY.parameters(), target=target.value)
    found = run_task(task.kind, task.arguments, source_hash())
    assert set(found) == {"*", "control"}
    assert found["control"]["lut"] == 1
    assert asked == [target]


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


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_worker_synthesises_and_compares_a_design_for_real(tmp_path):
    """Both tasks with Yosys and Verilator in a process of dask, as `tercel explore` starts them."""
    design = replace(TINY, tlmm=replace(TINY.tlmm, nodes=1), ultra_ram=False)
    wanted = [
        Task.of("synthesise", accelerator=design.parameters(), target=Target.SERIES_7.value),
        Task.of("check", accelerator=design.parameters(), passes=2),
    ]
    with task_pool(TaskStore(tmp_path), workers=1) as pool:
        found = dict(pool.results(wanted))
    synthesised, checked = (found[task] for task in wanted)
    assert checked == {"passes": 2, "failure": None}
    assert {"core.engine", "core.attention", "memory.reader", "control"} <= set(synthesised)
    total = sum((Resources(**block) for block in synthesised.values()), Resources())
    assert 5_000 < total.lut < 40_000
    assert total.dsp > 0
