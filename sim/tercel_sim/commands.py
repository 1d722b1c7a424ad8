"""The command ``tercel simulate``.

What needs the extra is imported when the command runs: ``tercel --help`` stays quick, and works
without it.
"""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from tercel.cli.options import ContextOption, ModelArgument
from tercel.device import Ask
from tercel.errors import TercelError
from tercel.image import Image
from tercel.runtime import DEFAULT_MODEL, TextTokenizer, find_model

if TYPE_CHECKING:
    from tercel_hw.top import AcceleratorConfig
    from tercel_sim.ddr import DdrConfig
    from tercel_sim.measurement import PassMeasurement
    from tercel_sim.rtl_device import RtlDevice

__all__ = ["simulate"]

EVIDENCE = "cycle-accurate simulation"


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
    nodes: Annotated[int, typer.Option(help="Most tokens of a pass.", metavar="K")] = 8,
    context: ContextOption = None,
    ddr: Annotated[
        str, typer.Option(help="The memory, see `tercel_sim.ddr`.", metavar="NAME")
    ] = "kv260-15.0",
    accelerator: Annotated[
        str | None,
        typer.Option(help="A preset; by default the one that plays the image.", metavar="NAME"),
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
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Run a model on the accelerator's RTL and show what it took.

    All tokens but the last are prefilled in passes of K; then tokens are generated one by one, each
    the best. The first use of an accelerator compiles it: a minute for tiny, many for the kv260.
    """
    image = Image.open(find_model(model))
    sequence = _sequence(image, prompt, tokens)
    if waves is None and (first or end is not None):
        raise TercelError("--first and --end are those of --waves: give it a file")
    memory, chosen = _choose(image, ddr, accelerator, nodes)
    from tercel_sim.rtl_device import RtlDevice

    device = RtlDevice(
        image, context=context, accelerator=chosen, ddr=memory, waves=waves is not None
    )
    if waves is not None:
        began = device.board.cycles
        last = 1 << 63 if end is None else began + end
        device.board.waves(waves, first=began + first, end=last)
    measured, generated = _passes(device, sequence, generated_tokens)
    device.board.close()
    from tercel_sim.measurement import summarise
    from tercel_sim.measurement_table import measurement_table

    phases = {name: summarise(passes, memory) for name, passes in measured.items() if passes}
    if as_json:
        facts = {
            "model": image.config.name,
            "nodes": chosen.nodes,
            "ddr": ddr,
            "clock_mhz": memory.clock_mhz,
            "tokens": sequence,
            "generated": generated,
            "phases": {name: asdict(summary) for name, summary in phases.items()},
            "evidence": EVIDENCE,
        }
        typer.echo(json.dumps(facts, indent=2))
        return
    console = Console(highlight=False, markup=False)
    with console.capture() as text:  # a closed pipe is the command group's to handle
        console.print(measurement_table(phases))
        console.print(f"generated    {', '.join(map(str, generated))}", soft_wrap=True)
        console.print(
            f"evidence     {EVIDENCE} at {memory.clock_mhz:g} MHz, memory {ddr}, "
            "without the host's time",
            soft_wrap=True,
        )
    typer.echo(text.get(), nl=False)


def _sequence(image: Image, prompt: str | None, tokens: str | None) -> list[int]:
    """The tokens to continue."""
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
    return sequence


def _choose(
    image: Image, ddr: str, name: str | None, nodes: int
) -> "tuple[DdrConfig, AcceleratorConfig]":
    from tercel_hw.top import ACCELERATORS
    from tercel_sim.ddr import DDR
    from tercel_sim.rtl_device import accelerator_for

    if ddr not in DDR:
        raise TercelError(f"ddr must be one of {', '.join(DDR)}, not {ddr!r}")
    if name is None:
        return DDR[ddr], accelerator_for(image, nodes=nodes)
    if name not in ACCELERATORS:
        raise TercelError(f"accelerator must be one of {', '.join(ACCELERATORS)}, not {name!r}")
    if not 1 <= nodes <= 16:
        raise TercelError(f"an accelerator has 1 to 16 nodes a pass, not {nodes}")
    preset = ACCELERATORS[name]
    return DDR[ddr], replace(preset, tlmm=replace(preset.tlmm, nodes=nodes))


def _passes(
    device: "RtlDevice", sequence: list[int], count: int
) -> "tuple[dict[str, list[PassMeasurement]], list[int]]":
    """Prefill all but the last token, then generate greedily."""
    from tercel_sim.measurement import measure_pass

    device.check_tokens(sequence)
    if len(sequence) + count - 1 > device.limits.context:
        raise TercelError(
            f"{len(sequence)} tokens and {count} passes exceed the context of "
            f"{device.limits.context}; shorten the prompt "
            f"{device.context_remedy(len(sequence) + count - 1)}"
        )
    *known, token = sequence
    prefill, generate, best = [], [], []
    for start in range(0, len(known), device.limits.nodes):
        chunk = known[start : start + device.limits.nodes]
        taken, _ = measure_pass(device, chunk, Ask(argmax=False))
        device.commit(range(len(chunk)))
        prefill.append(taken)
    for _ in range(count):
        taken, result = measure_pass(device, [token], Ask())
        device.commit([0])
        generate.append(taken)
        assert result.argmax is not None
        token = int(result.argmax[0])
        best.append(token)
    return {"prefill": prefill, "generate": generate}, best
