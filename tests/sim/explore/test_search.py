from dataclasses import replace

import pytest

from tercel_sim.ddr import DDR
from tercel_sim.explore import task_pool as pool_module
from tercel_sim.explore.design_space import IllegalDesignError
from tercel_sim.explore.search import search
from tercel_sim.explore.task_pool import TaskPool
from tercel_sim.explore.task_store import TaskStore


@pytest.fixture
def fast(monkeypatch):
    """Predictions by a formula instead of the cycle model; counts them."""
    calls = []

    def run(kind, arguments, sources):
        import json

        given = json.loads(arguments)
        accelerator = given["accelerator"]
        rate = accelerator["ports"] * given["ddr"]["clock_mhz"]
        calls.append(arguments)
        nodes = accelerator["tlmm"]["nodes"]
        return {
            "tokens_per_second": rate,
            "first_token_ms": 1000 / nodes / rate,
            "verify_ms": 80 / nodes,
        }

    monkeypatch.setattr(pool_module, "run_task", run)
    return calls


def explore(space, folder, **options):
    return search(space, DDR["kv260-15.0"], TaskPool(TaskStore(folder), None), **options)


def test_the_preset_and_its_neighbours_come_first(small_space, tmp_path, fast):
    found = explore(small_space, tmp_path, trials=0)
    neighbours = list(small_space.neighbours(small_space.standard))
    assert [each.design for each in found] == [small_space.standard, *neighbours]


def test_every_design_is_legal_and_evaluated_once(small_space, tmp_path, fast):
    told = []
    found = explore(small_space, tmp_path, trials=20, report=told.append)
    designs = [each.design for each in found]
    assert len(designs) == len(set(designs)) > 20
    for each in found:
        config = small_space.accelerator(each.design)
        assert each.shares == small_space.shares(small_space.estimate(config))
    assert told[-1] == "20 of 20 proposed designs"


def test_the_same_seed_gives_the_same_designs_from_the_store(small_space, tmp_path, fast):
    first = explore(small_space, tmp_path, trials=12, seed=3)
    count = len(fast)
    assert explore(small_space, tmp_path, trials=12, seed=3) == first
    assert len(fast) == count
    other = explore(small_space, tmp_path, trials=12, seed=4)
    assert other != first


def test_a_search_that_was_ended_goes_on(small_space, tmp_path, fast):
    class EndedError(Exception):
        pass

    def end(line):
        if line.startswith("8 of"):
            raise EndedError

    with pytest.raises(EndedError):
        explore(small_space, tmp_path, trials=16, report=end)
    count = len(fast)
    found = explore(small_space, tmp_path, trials=16)
    assert len(fast) == len({each.design for each in found})
    assert len(fast) > count


def test_a_small_space_is_exhausted(small_space, tmp_path, fast):
    space = replace(
        small_space,
        choices={name: values[:1] for name, values in small_space.choices.items()}
        | {"nodes": (1, 2), "tables": (small_space.preset.tlmm.tables,)},
    )
    found = explore(space, tmp_path, trials=1000)
    assert len(found) < 30


def test_a_preset_that_is_not_legal_is_refused(small_space, tmp_path, fast):
    with pytest.raises(IllegalDesignError, match="at most 1 % may be taken"):
        explore(replace(small_space, fill=0.01), tmp_path, trials=1)
    assert not fast
