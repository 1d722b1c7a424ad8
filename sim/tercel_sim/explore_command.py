"""The command ``tercel explore``.

Modules that need the extra are imported when the command runs, so ``tercel --help`` stays quick and
works without it.
"""

import importlib.util
import json
import os
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from tercel.cache_folder import cache_folder
from tercel.cli.outputs import open_output
from tercel.config import PRESETS
from tercel.errors import TercelError

if TYPE_CHECKING:
    from tercel.config import ModelConfig
    from tercel_sim.explore.evaluation import Evaluation
    from tercel_sim.explore.report import Exploration
    from tercel_sim.explore.task_pool import TaskPool

__all__ = ["explore"]

NEEDED = ("dask", "distributed", "optuna", "plotly", "scipy")
FORMS = (".json", ".md", ".html")
WIDTH = 180
"""Columns of the table where the output is no terminal."""


def explore(
    board: Annotated[str, typer.Option(help="A board, which gives budget, ports and clock.")],
    model: Annotated[
        str, typer.Option(help="A model by name, or an image.", metavar="NAME|FILE")
    ] = "0.7b",
    trials: Annotated[int, typer.Option(min=0, help="Designs that the search proposes.")] = 64,
    seed: Annotated[int, typer.Option(help="Of the search: same seed, same designs.")] = 0,
    fill: Annotated[
        float | None,
        typer.Option(
            help="Largest part of each resource. [0.85, or what the preset takes]", metavar="PART"
        ),
    ] = None,
    ddr: Annotated[
        str | None, typer.Option(help="Memory, a preset of `tercel simulate --ddr`. [the board's]")
    ] = None,
    bandwidth: Annotated[
        float | None, typer.Option(help="Another sustained rate of the memory.", metavar="GB/S")
    ] = None,
    clock: Annotated[
        float | None, typer.Option(help="Another highest clock.", metavar="MHZ")
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(help="A dask scheduler whose workers compute.", metavar="ADDRESS"),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=0, help="Local processes without one; 0: this one. [all cores]"),
    ] = None,
    synthesise: Annotated[
        int, typer.Option(min=0, help="Fastest designs of the front that Yosys measures.")
    ] = 0,
    check: Annotated[
        int, typer.Option(min=0, help="Fastest designs of the front whose RTL is compared.")
    ] = 0,
    store: Annotated[
        Path | None,
        typer.Option(help="Folder of results, from which an ended run goes on.", metavar="FOLDER"),
    ] = None,
    output: Annotated[
        list[Path] | None,
        typer.Option("--output", "-o", help="A report to write: *.json, *.md, *.html (plot)."),
    ] = None,
) -> None:
    """Search the accelerators for a model on a board: speed against resources.

    Legal designs are predicted by the cycle model and estimated by a fit to syntheses. The table is
    the Pareto front of time a token, to the first token, of a verify of 8, and the largest share of
    a resource; with the board's preset.
    """
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise TercelError(f"explore needs {missing[0]}: install tercel[explore]")
    from tercel_hw.board import load_board
    from tercel_hw.export.configuration import preset
    from tercel_sim.ddr import DDR
    from tercel_sim.explore.design_space import DesignSpace, default_fill
    from tercel_sim.explore.report import Exploration
    from tercel_sim.explore.resource_model import resource_model
    from tercel_sim.explore.search import search
    from tercel_sim.explore.task_pool import task_pool
    from tercel_sim.explore.task_store import TaskStore

    outputs = output or []
    if wrong := [path for path in outputs if path.suffix not in FORMS]:
        raise TercelError(f"a report must be one of *{', *'.join(FORMS)}, not {wrong[0]}")
    found_board = load_board(board)
    ddr = found_board.ddr.simulated if ddr is None else ddr
    if ddr not in DDR:
        raise TercelError(f"--ddr must be one of {', '.join(DDR)}, not {ddr!r}")
    memory = DDR[ddr]
    if bandwidth is not None:
        memory = replace(memory, sustained_gbs=bandwidth)
    if clock is not None:
        found_board = replace(found_board, clock_mhz=clock)
    space = DesignSpace(
        board=found_board,
        model=_model(model),
        preset=preset(found_board.preset),
        resources=resource_model(),
        fill=1.0 if fill is None else fill,
    )
    if fill is None:
        space = replace(space, fill=default_fill(space))
    kept = TaskStore(cache_folder("explore") if store is None else store)
    count = (os.cpu_count() or 1) if workers is None else workers

    def tell(line: str) -> None:
        typer.echo(line, err=True)

    with ExitStack() as stack:
        files = [stack.enter_context(open_output(path)) for path in outputs]
        pool = stack.enter_context(task_pool(kept, scheduler=scheduler, workers=count))
        found = search(space, memory, pool, trials=trials, seed=seed, report=tell)
        result = Exploration(
            space=space,
            memory=f"{ddr}, {memory.sustained_gbs:g} GB/s",
            found=tuple(found),
            synthesised={},
            checked={},
        )
        result = replace(
            result,
            synthesised=_synthesise(result, result.front[:synthesise], pool),
            checked=_run("check", result, result.front[:check], pool, passes=PASSES),
        )
        for path, file in zip(outputs, files, strict=True):
            file.write(_text(result, path.suffix).encode())
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    console.print(result.as_table())


PASSES = 4
"""Random passes of a check."""


def _model(name: str) -> "ModelConfig":
    from tercel.image import Image
    from tercel.runtime import find_model

    if name in PRESETS and not Path(name).is_file():
        return PRESETS[name]
    return Image.open(find_model(name)).config


def _text(result: "Exploration", form: str) -> str:
    if form == ".json":
        return json.dumps(result.to_dict(), indent=2) + "\n"
    return result.as_markdown() if form == ".md" else result.as_html()


def _synthesise(
    result: "Exploration", designs: "list[Evaluation]", pool: "TaskPool"
) -> dict[str, dict[str, float]]:
    """Resources of designs by Yosys, by their short name."""
    from tercel_hw.synthesis.resources import Resources

    found = _run("synthesise", result, designs, pool, target=result.space.board.target.value)
    return {
        name: asdict(sum((Resources(**block) for block in blocks.values()), Resources()))
        for name, blocks in found.items()
    }


def _run(
    kind: str,
    result: "Exploration",
    designs: "list[Evaluation]",
    pool: "TaskPool",
    **arguments: Any,
) -> dict[str, Any]:
    """Results of a task of each design, by its short name."""
    from tercel_sim.explore.task_store import Task

    tasks = {
        Task.of(
            kind, accelerator=result.space.accelerator(each.design).parameters(), **arguments
        ): each.design.short
        for each in designs
    }
    return {tasks[task]: found for task, found in pool.results(tasks)}
