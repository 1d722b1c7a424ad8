"""The tasks that workers compute: functions of JSON values."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from types import MappingProxyType
from typing import Any

from tercel.config import ModelConfig
from tercel.errors import TercelError
from tercel_hw.emission import emit_rtlil
from tercel_hw.export.configuration import parse_configuration
from tercel_hw.export.module_name import MODULE
from tercel_hw.synthesis.blocks import cut
from tercel_hw.target import Target
from tercel_hw.top import AcceleratorConfig
from tercel_sim.ddr import parse_ddr
from tercel_sim.explore.evaluation import predict_speed
from tercel_sim.explore.task_store import source_hash

__all__ = ["TASKS", "reduced", "run_task"]

REDUCED = {"hidden": 128, "head_size": 48, "heads": 4, "positions": 64, "rows": 256, "top_k": 8}
"""Limits of the accelerators whose RTL is run: those of the smallest preset."""
REDUCED_COLUMNS = 256
REDUCED_BURST = 16
PASS_CYCLES = 20_000


def run_task(kind: str, arguments: str, sources: str) -> Any:
    """Compute a task in a worker.

    Parameters
    ----------
    kind, arguments
        Fields of the :class:`~tercel_sim.explore.task_store.Task`.
    sources
        Hash of the sources of the process that asks.

    Raises
    ------
    TercelError
        If the worker has other sources, or the task is refused.
    """
    if sources != source_hash():
        raise TercelError("a worker has another version of tercel; install the same on all")
    return TASKS[kind](**json.loads(arguments))


def predict(
    *, model: dict[str, Any], accelerator: dict[str, Any], ddr: dict[str, Any]
) -> dict[str, float]:
    """Predict the speed of a model on an accelerator by the cycle model."""
    speed = predict_speed(
        ModelConfig.from_json(json.dumps(model)), parse_configuration(accelerator), parse_ddr(ddr)
    )
    return asdict(speed)


def synthesise(*, accelerator: dict[str, Any], target: str) -> dict[str, dict[str, float]]:
    """Measure the resources of every block with Yosys; blocks in the worker's cache are kept."""
    from tercel_hw.synthesis.run import measure_blocks
    from tercel_hw.top.accelerator import Accelerator

    config, wanted = parse_configuration(accelerator), Target.parse(target)
    rtlil = emit_rtlil(Accelerator(config=config), MODULE, target=wanted)
    measured = measure_blocks(cut(rtlil, top=MODULE), target=wanted)
    return {block.name: asdict(block.resources) for block in measured}


def check(*, accelerator: dict[str, Any], passes: int) -> dict[str, Any]:
    """Compare the RTL of a reduced accelerator with the emulator in random passes."""
    from tercel_sim.selfcheck import check_model

    config = reduced(parse_configuration(accelerator))
    found = check_model(config, seed=0, passes=passes, most_cycles=PASS_CYCLES)
    message = None if found.failure is None else found.failure.message
    return {"passes": found.passes, "failure": message}


def reduced(config: AcceleratorConfig) -> AcceleratorConfig:
    """Return an accelerator with the same engines and ports for small models alone."""
    return replace(
        config,
        tlmm=replace(config.tlmm, max_columns=REDUCED_COLUMNS),
        tape_words=min(config.tape_words, 8 * REDUCED_BURST),
        burst_beats=REDUCED_BURST,
        **REDUCED,
    )


TASKS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {"predict": predict, "synthesise": synthesise, "check": check}
)
"""Functions by kind."""
