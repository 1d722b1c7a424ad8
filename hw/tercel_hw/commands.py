"""The commands ``tercel hdl`` and ``tercel synth``.

Modules that need the extras are imported when a command runs, so ``tercel --help`` stays quick and
works without them.
"""

import importlib.util
import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from tercel.cli.outputs import open_output, tell_replaced
from tercel.errors import TercelError
from tercel.files import check_folder, make_folder

if TYPE_CHECKING:
    from tercel_hw.board import BoardSpec
    from tercel_hw.synthesis.blocks import Block
    from tercel_hw.top.config import AcceleratorConfig

__all__ = ["hdl", "synth"]

PresetOption = Annotated[
    str | None, typer.Option(help="An accelerator by name, see `tercel hdl --list-presets`.")
]
ConfigOption = Annotated[
    Path | None,
    typer.Option(help="Its parameters as JSON, or its sidecar; missing ones are the kv260's."),
]


def _choose(
    preset: str | None, config: Path | None, board: "BoardSpec | None"
) -> "AcceleratorConfig":
    """Return the accelerator configuration that the options select."""
    from tercel_hw.export.configuration import preset as find_preset
    from tercel_hw.export.configuration import read_configuration

    if preset is not None and config is not None:
        raise TercelError("give --preset or --config, not both")
    if config is not None:
        return read_configuration(config)
    if preset is not None:
        return find_preset(preset)
    if board is None:
        raise TercelError("give one of --preset, --config and --board")
    return find_preset(board.preset)


def _list_presets(wanted: bool) -> None:
    if not wanted:
        return
    from tercel_hw.top.config import ACCELERATORS

    for name, config in ACCELERATORS.items():
        tlmm = config.tlmm
        typer.echo(
            f"{name:<14}{tlmm.code}, {tlmm.tables} tables, {config.nodes} nodes, "
            f"{config.ports} ports of {8 * config.port_bytes} bits"
        )
    raise typer.Exit


def hdl(
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="A folder, or the Verilog file: *.v."),
    ],
    preset: PresetOption = None,
    config: ConfigOption = None,
    board: Annotated[
        str | None, typer.Option(help="A board: its accelerator, and the scripts to build it.")
    ] = None,
    name: Annotated[
        str,
        typer.Option(
            help="Name of the top module and the core, prefix of all modules' names and, "
            "in a folder, of the files'. Two accelerators in one design need different names."
        ),
    ] = "tercel",
    target: Annotated[
        str | None,
        typer.Option(
            help="Target of the Verilog: portable, 7series or ultrascale+; by default the board's, "
            "or portable without one."
        ),
    ] = None,
    resources: Annotated[
        Path | None, typer.Option(help="A report of `tercel synth`, for the sidecar.")
    ] = None,
    list_presets: Annotated[
        bool,
        typer.Option(
            "--list-presets", callback=_list_presets, is_eager=True, help="List them and exit."
        ),
    ] = False,
) -> None:
    """Write an accelerator's Verilog, and files with its data for drivers and tools.

    One self-contained Verilog file, the same in every run; a JSON sidecar; the registers as C
    header, Markdown, SystemRDL and SVD; lint configuration and FuseSoC core; with --board the
    vendor's scripts. For a target with vendor primitives, their models for simulation.
    """
    from tercel_hw.board import load_board
    from tercel_hw.export.files import write_files
    from tercel_hw.export.module_name import check_module_name
    from tercel_hw.target import Target

    if output == Path("-"):
        raise TercelError("hdl writes several files: give it a folder or *.v, not -")
    check_module_name(name)
    single = output.suffix == ".v"
    folder, stem = (output.parent, output.stem) if single else (output, name)
    inputs = [path for path in (config, resources) if path is not None]
    check_folder(folder, (f"{stem}.v", f"{stem}.json"), inputs=inputs)
    found = None if board is None else load_board(board)
    chosen = _choose(preset, config, found)
    wanted = None if target is None else Target.parse(target)
    from tercel_hw.export.bundle import bundle  # Slow: errors of the options come first.

    tell_replaced([folder / f"{stem}.v"])
    files = bundle(chosen, stem=stem, module=name, board=found, target=wanted, resources=resources)
    write_files(folder, files, inputs=inputs)
    for file in files:
        typer.echo(folder / file)


def synth(
    preset: PresetOption = None,
    config: ConfigOption = None,
    board: Annotated[
        str,
        typer.Option(
            help="A board, which gives the target, the budget of resources and the default preset."
        ),
    ] = "kv260",
    blocks: Annotated[
        str | None,
        typer.Option(help="Only these blocks, as core.engine,core.head."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A report to write: *.json or *.md.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Blocks at a time.")] = 1,
) -> None:
    """Estimate an accelerator's resources and timing with Yosys, block by block.

    The total is the sum of the blocks, which are optimised one by one. Levels are lookup tables
    between registers; through is the levels from an input to an output of the block. Paths in
    nanoseconds lead through all the blocks that were chosen; netlists are kept, so a block that has
    not changed takes no time.
    """
    if importlib.util.find_spec("pyosys") is None:
        raise TercelError("synth needs pyosys, which is not installed: install tercel[synth]")
    from tercel_hw.board import load_board
    from tercel_hw.emission import emit_rtlil
    from tercel_hw.export.module_name import MODULE
    from tercel_hw.synthesis.blocks import cut
    from tercel_hw.synthesis.report import as_json, as_markdown, as_tables
    from tercel_hw.synthesis.run import measure_blocks, measure_timing
    from tercel_hw.synthesis.timing_report import LIMIT_PS
    from tercel_hw.target import Target
    from tercel_hw.top.accelerator import Accelerator

    if output is not None and output.suffix not in (".json", ".md"):
        raise TercelError(f"the report must be *.json or *.md, not {output}")
    with ExitStack() as stack:
        file = None
        if output is not None:
            make_folder(output.parent)
            file = stack.enter_context(open_output(output, inputs=[config]))
        budget = load_board(board)
        chosen = _choose(preset, config, budget)
        typer.echo("elaborating", err=True)
        rtlil = emit_rtlil(Accelerator(config=chosen), MODULE, target=budget.target)
        every = cut(rtlil, top=MODULE)
        wanted = every if blocks is None else _select(every, blocks.split(","))
        measured = measure_blocks(
            wanted,
            target=budget.target,
            jobs=jobs,
            report=lambda line: typer.echo(line, err=True),
        )
        timing = None
        if budget.target is not Target.SERIES_7:  # There are no delays of its cells.
            timing = measure_timing(measured, top=MODULE, limit_ps=LIMIT_PS)
        if output is not None and file is not None:
            complete = len(wanted) == len(every)
            facts = as_json(measured, config=chosen, board=budget, complete=complete, timing=timing)
            text = json.dumps(facts, indent=2) + "\n"
            if output.suffix == ".md":
                text = as_markdown(measured, budget, timing)
            file.write(text.encode())
    for table in as_tables(measured, budget, timing):
        Console().print(table)


def _select(every: "tuple[Block, ...]", names: list[str]) -> "list[Block]":
    """Return the blocks of these names, in the order of ``every``."""
    known = {block.name: block for block in every}
    if unknown := [name for name in names if name not in known]:
        raise TercelError(
            f"the accelerator has no block {', '.join(unknown)}; it has {', '.join(sorted(known))}"
        )
    return [known[name] for name in dict.fromkeys(names)]
