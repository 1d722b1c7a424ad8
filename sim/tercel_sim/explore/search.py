"""The search of a design space: optuna proposes, workers evaluate.

A proposal that is illegal or known gives way to a random design that is neither.
"""

import json
import random
from collections.abc import Callable, Container, Iterable
from dataclasses import asdict
from typing import Any

import optuna

from tercel_sim.ddr import DdrConfig
from tercel_sim.explore.design import Design
from tercel_sim.explore.design_space import DesignSpace, IllegalDesignError
from tercel_sim.explore.evaluation import Evaluation, Speed, ddr_at
from tercel_sim.explore.pareto import objectives
from tercel_sim.explore.task_pool import TaskPool
from tercel_sim.explore.task_store import Task

__all__ = ["search"]

BATCH = 8
"""Designs proposed at a time, for any number of workers, so that the search is always the same."""
TRIES = 1000
"""Random designs that are looked at for one that is legal and new."""


def search(
    space: DesignSpace,
    ddr: DdrConfig,
    pool: TaskPool,
    *,
    trials: int,
    seed: int = 0,
    report: Callable[[str], None] = lambda line: None,
) -> list[Evaluation]:
    """Evaluate the preset, its neighbours and further designs that optuna proposes.

    The same seed proposes the same designs, on any number of workers, so a search that was ended
    and is started again takes what was evaluated from the pool's store.

    Parameters
    ----------
    space
    ddr
        The board's memory at any clock.
    pool
    trials
        Number of legal designs that optuna proposes.
    seed
    report
        Called with a line after each batch.

    Raises
    ------
    TercelError
        If the preset is not legal, or a task fails.
    """
    known: dict[Design, Evaluation] = {}
    standard = space.standard
    space.accelerator(standard)
    neighbours = list(space.neighbours(standard))
    study = _study(seed)
    _evaluate(space, ddr, pool, [standard, *neighbours], known)
    report(f"preset and {len(neighbours)} neighbours")
    for found in known.values():
        study.add_trial(_trial(space, found))
    chance = random.Random(seed)
    left = trials
    while left > 0:
        batch: dict[Design, optuna.Trial | None] = {}
        while len(batch) < min(BATCH, left):
            trial = study.ask(_distributions(space))
            design = _design(space, trial.params)
            if design in known or design in batch or not _legal(space, design):
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
                trial, design = None, _random_design(space, chance, {*known, *batch})
            if design is None:
                left = len(batch)  # the space is exhausted
                break
            batch[design] = trial
        _evaluate(space, ddr, pool, batch, known)
        for design, trial in batch.items():
            if trial is None:
                study.add_trial(_trial(space, known[design]))
            else:
                study.tell(trial, objectives(known[design]))
        left -= len(batch)
        report(f"{trials - left} of {trials} proposed designs")
    return list(known.values())


def _legal(space: DesignSpace, design: Design) -> bool:
    try:
        space.accelerator(design)
    except IllegalDesignError:
        return False
    return True


def _random_design(
    space: DesignSpace, chance: random.Random, known: Container[Design]
) -> Design | None:
    """A random legal design that is not known; ``None`` if there seems to be none."""
    for _ in range(TRIES):
        values = {name: chance.choice(each) for name, each in space.parameters.items()}
        design = Design(port_bytes=space.preset.port_bytes, **values)
        if design not in known and _legal(space, design):
            return design
    return None


def _study(seed: int) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=BATCH)
    return optuna.create_study(directions=["minimize"] * 4, sampler=sampler)


def _distributions(space: DesignSpace) -> dict[str, optuna.distributions.BaseDistribution]:
    """Indices into the values of each parameter, which are in order; the code's are not."""
    found: dict[str, optuna.distributions.BaseDistribution] = {}
    for name, values in space.parameters.items():
        if isinstance(values[0], str):
            found[name] = optuna.distributions.CategoricalDistribution(values)
        else:
            found[name] = optuna.distributions.IntDistribution(0, len(values) - 1)
    return found


def _design(space: DesignSpace, parameters: dict) -> Design:
    values: dict[str, Any] = {
        name: chosen if isinstance(chosen, str) else space.parameters[name][chosen]
        for name, chosen in parameters.items()
    }
    return Design(port_bytes=space.preset.port_bytes, **values)


def _trial(space: DesignSpace, found: Evaluation) -> optuna.trial.FrozenTrial:
    """A finished trial of a design, with the nearest listed value of each parameter."""
    parameters = {}
    for name, values in space.parameters.items():
        value = getattr(found.design, name)
        if isinstance(value, str):
            parameters[name] = value
        else:
            parameters[name] = min(range(len(values)), key=lambda index: abs(values[index] - value))
    return optuna.trial.create_trial(
        params=parameters, distributions=_distributions(space), values=objectives(found)
    )


def _evaluate(
    space: DesignSpace,
    ddr: DdrConfig,
    pool: TaskPool,
    designs: Iterable[Design],
    known: dict[Design, Evaluation],
) -> None:
    """Add the evaluations of legal designs, in their order."""
    model = json.loads(space.model.to_json())
    tasks: dict[Design, Task] = {}
    for design in designs:
        tasks[design] = Task.of(
            "predict",
            model=model,
            accelerator=space.accelerator(design).parameters(),
            ddr=asdict(ddr_at(ddr, design.clock_mhz)),
        )
    speeds = {task: Speed(**result) for task, result in pool.results(dict.fromkeys(tasks.values()))}
    for design, task in tasks.items():
        resources = space.estimate(space.accelerator(design))
        known[design] = Evaluation(
            design=design, speed=speeds[task], shares=space.shares(resources)
        )
