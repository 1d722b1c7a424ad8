"""The commands ``tercel simulate`` and ``tercel cache``.

Modules that need the extra are imported when a command runs, so ``tercel --help`` stays quick and
works without it.
"""

import json
from contextlib import ExitStack
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from tercel.cli.group import INTERRUPTED
from tercel.cli.options import ContextOption, ModelArgument, NodesOption
from tercel.cli.outputs import open_output
from tercel.cli.units import format_bytes
from tercel.device.interface import context_remedy
from tercel.device.pass_arguments import check_token_ids
from tercel.errors import TercelError
from tercel.files import write_errors
from tercel.image import Image
from tercel.runtime import DEFAULT_MODEL, TextTokenizer, find_model
from tercel_sim.options import CacheOption

if TYPE_CHECKING:
    from tercel_sim.ddr import DdrConfig
    from tercel_sim.measured_run import MeasuredRun

__all__ = ["cache", "simulate"]

EVIDENCE = "cycle-accurate simulation"
ENDLESS = 1 << 63
"""A cycle that no simulation reaches."""


def simulate(
    model: ModelArgument = DEFAULT_MODEL,
    prompt: Annotated[
        str | None, typer.Option("--prompt", "-p", help="A text to continue.")
    ] = None,
    tokens: Annotated[
        str | None, typer.Option(help="Token ids to continue, as 1,2,3; by default just 0.")
    ] = None,
    generated_tokens: Annotated[
        int, typer.Option("--generated-tokens", "-n", min=1, help="Passes of one token.")
    ] = 1,
    nodes: NodesOption = None,
    context: ContextOption = None,
    ddr: Annotated[
        str, typer.Option(help="The memory, see `tercel_sim.ddr`.", metavar="NAME")
    ] = "kv260-15.0",
    accelerator: Annotated[
        str | None,
        typer.Option(help="A preset; by default the one that plays the image.", metavar="NAME"),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            help="Instead of a preset, parameters as JSON, or an accelerator's sidecar.",
            metavar="FILE",
        ),
    ] = None,
    waves: Annotated[
        Path | None, typer.Option(help="A VCD file to write; the simulation is slower then.")
    ] = None,
    first: Annotated[
        int, typer.Option(min=0, help="First cycle of the waves, from the first pass on.")
    ] = 0,
    end: Annotated[
        int | None, typer.Option(min=1, help="Cycle before which the waves end.")
    ] = None,
    cache: CacheOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Run a model on the accelerator's RTL and show its cycles.

    All tokens but the last are prefilled in passes of K; then tokens are generated one by one,
    greedily. The first use of an accelerator compiles it: a minute for tiny, many for the kv260.
    Ctrl-C ends the current pass, and shows the passes before it.
    """
    image = Image.open(find_model(model))
    sequence = _sequence(image, prompt, tokens)
    _check_window(waves, first, end)
    from tercel_sim.accelerator_choice import choose_accelerator
    from tercel_sim.build_cache import BuildCache
    from tercel_sim.measured_run import MeasuredRun
    from tercel_sim.progress import terminal
    from tercel_sim.rtl_device import RtlDevice, RtlOptions

    memory = RtlOptions(ddr=ddr).memory
    chosen = choose_accelerator(image, name=accelerator, file=config, nodes=nodes)
    _check_length(image, chosen.spec.positions, context, len(sequence), generated_tokens)
    with ExitStack() as stack:
        if waves is not None:  # The simulation writes the file by its name.
            file = stack.enter_context(open_output(waves, inputs=[image.path]))
        device = RtlDevice(
            image,
            context=context,
            accelerator=chosen,
            ddr=memory,
            waves=waves is not None,
            cache=BuildCache(cache),
            progress=terminal,
        )
        began = device.board.cycles
        if waves is not None:
            stack.enter_context(write_errors(waves))
            last = ENDLESS if end is None else began + end
            device.board.waves(Path(file.name), first=began + first, end=last)
        stack.callback(device.board.close)
        run = MeasuredRun(device, sequence, generated_tokens)
        run.run(progress=terminal)
        took = device.board.cycles - began
    facts = {
        "model": image.config.name,
        "nodes": chosen.nodes,
        "ddr": ddr,
        "clock_mhz": memory.clock_mhz,
        "tokens": sequence,
    }
    _show(run, memory, facts, as_json)
    if waves is not None and took <= first:
        typer.echo(
            f"warning: {waves} shows no cycle: it begins with cycle {first}, "
            f"but the simulation took {took}",
            err=True,
        )
    if run.interruption is not None:
        raise typer.Exit(INTERRUPTED)


def cache(
    cache: CacheOption = None,
    clear: Annotated[bool, typer.Option("--clear", help="Remove all entries.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Show or clear the accelerators that simulations have compiled.

    An entry is the Verilog of an accelerator, or its simulation. A missing or broken entry is built
    again when it is needed; --clear keeps an entry that a process is building.
    """
    from tercel_sim.build_cache import BuildCache

    store = BuildCache(cache)
    freed = store.clear() if clear else None
    entries = store.entries()
    if as_json:
        facts = {
            "folder": str(store.folder),
            "freed_bytes": freed,
            "entries": [
                {"file": each.path.name, "written": each.written, **asdict(each.manifest)}
                for each in entries
            ],
        }
        typer.echo(json.dumps(facts, indent=2))
        return
    if freed is not None:
        typer.echo(f"removed {format_bytes(freed)} from {store.folder}")
        return
    for each in entries:
        kind = "simulation" if each.path.suffix == ".so" else "Verilog"
        written = datetime.fromtimestamp(each.written)
        size = format_bytes(each.manifest.bytes)
        typer.echo(f"{written:%Y-%m-%d %H:%M}  {size:>8}  {kind:<10}  {each.manifest.title}")
    total = sum(each.manifest.bytes for each in entries)
    typer.echo(f"{len(entries)} entries, {format_bytes(total)} in {store.folder}")


def _show(run: "MeasuredRun", memory: "DdrConfig", facts: dict, as_json: bool) -> None:
    """Print the measurements of the complete passes."""
    from tercel_sim.measurement import summarise
    from tercel_sim.measurement_table import measurement_table

    phases = {name: summarise(passes, memory) for name, passes in run.phases.items() if passes}
    if as_json:
        facts |= {
            "generated": run.generated,
            "phases": {name: asdict(summary) for name, summary in phases.items()},
            "interrupted": None if run.interruption is None else asdict(run.interruption),
            "evidence": EVIDENCE,
        }
        typer.echo(json.dumps(facts, indent=2))
        return
    lines = []
    if run.generated:
        lines.append(f"generated    {', '.join(map(str, run.generated))}")
    if (found := run.interruption) is not None:
        lines.append(
            f"interrupted  after {found.passes} of {found.of} passes, {found.cycles} cycles into "
            "the next"
        )
    lines.append(
        f"evidence     {EVIDENCE} at {memory.clock_mhz:g} MHz, memory {facts['ddr']}, "
        "without the host's time"
    )
    console = Console(highlight=False, markup=False)
    with console.capture() as text:  # a closed pipe is the command group's to handle
        if phases:
            console.print(measurement_table(phases))
        for line in lines:
            console.print(line, soft_wrap=True)
    typer.echo(text.get(), nl=False)


def _sequence(image: Image, prompt: str | None, tokens: str | None) -> list[int]:
    """Return the tokens to continue."""
    if prompt is not None and tokens is not None:
        raise TercelError("give --prompt or --tokens, not both")
    if prompt is not None:
        sequence = TextTokenizer.of_image(image).encode(prompt)
    else:
        try:
            sequence = [int(token) for token in ("0" if tokens is None else tokens).split(",")]
        except ValueError:
            raise TercelError(f"tokens must be ids as 1,2,3, not {tokens!r}") from None
    if not sequence:
        raise TercelError("the prompt is empty; give --prompt a text")
    check_token_ids(sequence, image.config)
    return sequence


def _check_window(waves: Path | None, first: int, end: int | None) -> None:
    if waves is None and (first or end is not None):
        raise TercelError("--first and --end are those of --waves: give it a file")
    if end is not None and end <= first:
        raise TercelError(f"--end must be greater than --first ({first}), not {end}")


def _check_length(
    image: Image, positions: int, context: int | None, tokens: int, passes: int
) -> None:
    room = min(image.config.context, positions) if context is None else context
    if tokens + passes - 1 > room:
        raise TercelError(
            f"{tokens} tokens and {passes} passes exceed the context of {room}; "
            f"shorten the prompt {context_remedy(tokens + passes - 1, image.config)}"
        )
