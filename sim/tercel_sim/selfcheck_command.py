"""The command ``tercel selfcheck``.

Modules that need the extra are imported when the command runs, so ``tercel --help`` stays quick and
works without it.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from tercel_sim.options import CacheOption

if TYPE_CHECKING:
    from tercel_sim.selfcheck import ModelCheck

__all__ = ["selfcheck"]

DIFFERENT = 1
"""Exit status if a pass differs; other errors have the status of any command's."""
PASS_CYCLES = 200_000
WIDTH = 160
"""Columns of the output, so that programs read a line for each model."""


def selfcheck(
    config: Annotated[
        Path,
        typer.Option(help="An accelerator's parameters as JSON, or its sidecar.", metavar="FILE"),
    ],
    models: Annotated[int, typer.Option(min=1, help="Random models.")] = 4,
    passes: Annotated[int, typer.Option(min=1, help="Random passes of each model.")] = 12,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first model; then one more.")] = 0,
    pass_cycles: Annotated[
        int, typer.Option(min=1, help="Approximate limit of a pass, which bounds the model.")
    ] = PASS_CYCLES,
    cache: CacheOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Compare an accelerator's RTL with the emulator in random passes, bit for bit.

    Models are random at the accelerator's limits, passes with trees, commits, given caches and full
    contexts. The exit status is 1 if a pass differs. The first use of an accelerator compiles it: a
    minute for a small one, many for the kv260's.
    """
    from tercel_hw.export.configuration import read_configuration
    from tercel_sim.build_cache import BuildCache
    from tercel_sim.progress import terminal
    from tercel_sim.selfcheck import check_model
    from tercel_sim.selfcheck.table import limits_table, models_table

    accelerator = read_configuration(config)
    checks = []
    for index in range(models):
        typer.echo(f"model {index + 1} of {models}, seed {seed + index}", err=True)
        check = check_model(
            accelerator,
            seed=seed + index,
            passes=passes,
            most_cycles=pass_cycles,
            cache=BuildCache(cache),
            progress=terminal,
        )
        checks.append(check)
        if check.failure is not None:
            break
    failed = checks[-1].failure is not None
    if as_json:
        typer.echo(json.dumps({"models": [asdict(check) for check in checks]}, indent=2))
    else:
        console = Console(highlight=False, markup=False, width=WIDTH)
        with console.capture() as text:  # a closed pipe is the command group's to handle
            console.print(models_table(checks))
            console.print(limits_table(accelerator.spec, checks))
            total = sum(check.passes for check in checks)
            console.print(f"{total} passes of {len(checks)} models have the emulator's bits")
        typer.echo(text.get(), nl=False)
    if failed:
        typer.echo(_failed(checks[-1], config, pass_cycles), err=True)
        raise typer.Exit(DIFFERENT)


def _failed(check: "ModelCheck", config: Path, pass_cycles: int) -> str:
    """Describe a failed pass, its difference and the command that repeats it."""
    failure = check.failure
    assert failure is not None
    again = f"tercel selfcheck --config {config} --models 1 --seed {check.seed}"
    return (
        f"pass {failure.number + 1} of the model with seed {check.seed} failed: "
        f"{failure.described}\n"
        f"{failure.message}\n"
        f"again: {again} --passes {failure.number + 1} --pass-cycles {pass_cycles}"
    )
