import json
import os
import signal
from dataclasses import asdict, replace

import pytest

from tercel.config import PRESETS
from tercel.errors import TercelError
from tercel_hw.top import ACCELERATORS
from tercel_sim.ddr import DDR
from tercel_sim.explore import task_pool as module
from tercel_sim.explore.task_pool import TaskPool, task_pool
from tercel_sim.explore.task_store import Task, TaskStore, source_hash
from tercel_sim.explore.tasks import run_task

ACCELERATOR = replace(ACCELERATORS["tiny"], positions=256)
MODEL = json.loads(replace(PRESETS["tiny"], context=256).to_json())


def tasks(count):
    """Predictions with memories of different rates."""
    return [
        Task.of(
            "predict",
            model=MODEL,
            accelerator=ACCELERATOR.parameters(),
            ddr=asdict(replace(DDR["kv260-15.0"], sustained_gbs=1.0 + index)),
        )
        for index in range(count)
    ]


def test_a_run_that_was_ended_goes_on(tmp_path, monkeypatch):
    store, wanted, ran = TaskStore(tmp_path), tasks(3), []

    def count(kind, arguments, sources):
        ran.append(arguments)
        return run_task(kind, arguments, sources)

    monkeypatch.setattr(module, "run_task", count)
    results = TaskPool(store, None).results(wanted)
    first = [next(results), next(results)]
    results.close()
    assert len(ran) == 2
    again = list(TaskPool(store, None).results(wanted))
    assert len(ran) == 3
    assert again[:2] == first
    assert [task for task, _ in again] == wanted


@pytest.mark.timeout(600)
def test_two_workers_lose_nothing_when_one_is_killed(tmp_path):
    store, wanted = TaskStore(tmp_path), tasks(5)
    with task_pool(store, workers=2) as pool:
        assert pool.workers == 2
        processes = list(pool._client.run(os.getpid).values())
        results = pool.results(wanted)
        found = dict([next(results)])
        os.kill(processes[0], signal.SIGKILL)
        found |= dict(results)
        address = pool._client.scheduler.address
        # A second run of its own, with the scheduler's address, finds everything in the store.
        with task_pool(store, scheduler=address) as other:
            assert dict(other.results(wanted)) == found
    assert len(set(processes)) == 2
    assert set(found) == set(wanted)
    last = wanted[-1]
    assert found[last] == run_task(last.kind, last.arguments, source_hash())
    assert all(store.get(task) == result for task, result in found.items())


def test_errors_of_a_task_are_the_users(tmp_path):
    small = Task.of("predict", model=MODEL, accelerator={"ports": 3}, ddr=asdict(DDR["ideal"]))
    with task_pool(TaskStore(tmp_path), workers=0) as pool:
        assert pool.workers == 1
        with pytest.raises(TercelError, match=r"ports|word"):
            list(pool.results([small]))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense://x"])
def test_a_scheduler_that_does_not_answer(tmp_path, monkeypatch, address):
    monkeypatch.setattr(module, "CONNECT_SECONDS", 0.2)
    with pytest.raises(TercelError, match=r"does not answer: .*start one with `dask scheduler`"):
        with task_pool(TaskStore(tmp_path), scheduler=address):
            pass
