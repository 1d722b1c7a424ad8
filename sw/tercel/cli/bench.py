"""``tercel bench``: speed of a model on a device."""

from pathlib import Path
from typing import Annotated

import typer

from tercel.cli.bench_speculation import print_speculation_benchmark
from tercel.cli.options import (
    ContextOption,
    DeviceOption,
    ModelArgument,
    NodesOption,
    SettingsOption,
    open_with_settings,
)
from tercel.cli.speculation import AcceptorOption, DraftMaxOption, DraftModelOption
from tercel.cli.table import OutputFormat, Row, print_rows
from tercel.cli.units import format_bytes, format_count
from tercel.errors import TercelError
from tercel.image import Image
from tercel.runtime import (
    DEFAULT_DEVICE,
    DEFAULT_MODEL,
    BenchmarkConfig,
    GenerationConfig,
    Measurement,
    find_model,
    run_benchmark,
)
from tercel.sampling import SamplingConfig

__all__ = ["bench"]

HEADS = {"model": 8, "size": 8, "weights": 8, "device": 9, "test": 12, "tokens/s": 18}
HEADS |= {"ms/pass": 18, "read/token": 10, "evidence": 34}


def bench(
    model: ModelArgument = DEFAULT_MODEL,
    prompt_tokens: Annotated[
        int, typer.Option("--prompt-tokens", "-p", help="pp: tokens of a prefill; 0 leaves it out.")
    ] = 128,
    generated_tokens: Annotated[
        int, typer.Option("--generated-tokens", "-n", help="tg: tokens one by one; 0: none.")
    ] = 32,
    verify_nodes: Annotated[
        int, typer.Option("--verify", "-v", help="v1 to vN: a pass of 1 to N nodes; 0: none.")
    ] = 8,
    depth: Annotated[
        int, typer.Option("--depth", "-d", help="Positions in the cache before every test.")
    ] = 0,
    repetitions: Annotated[
        int, typer.Option("--repetitions", "-r", help="Runs of each test, after a warm-up.")
    ] = 5,
    spec: Annotated[
        str | None,
        typer.Option(
            help="Measure speculation instead: methods separated by commas, or all.",
            metavar="NAMES",
        ),
    ] = None,
    prompts: Annotated[
        list[Path] | None,
        typer.Option(
            help="Texts for --spec: a .jsonl file of prompts, or any text file as one prompt; "
            "may be given several times.",
            metavar="FILE",
        ),
    ] = None,
    temperature: Annotated[float, typer.Option(help="Of --spec: 0 is greedy.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Of --spec: seed of the noise.")] = 0,
    acceptor: AcceptorOption = "agreement",
    draft_max: DraftMaxOption = None,
    draft_model: DraftModelOption = None,
    device: DeviceOption = DEFAULT_DEVICE,
    nodes: NodesOption = None,
    context: ContextOption = None,
    settings: SettingsOption = None,
    output: Annotated[
        OutputFormat, typer.Option("--output", "-o", help="Form of the result.")
    ] = OutputFormat.MD,
) -> None:
    """Measure a model on a device.

    pp is prompt processing, tg text generation, vK one pass that verifies K nodes; its time over
    that of v1 is the cost of speculation. Tokens are random; tokenisation and sampling are not
    measured. Values are mean and standard deviation.

    --spec continues prompts by -n tokens, plainly and with every method, and gives a row for each
    method and file of prompts. Repetitions of greedy text are left out.
    """
    given = {"--prompts": prompts, "--draft-model": draft_model, "--draft-max": draft_max}
    for option, value in given.items():
        if spec is None and value is not None:
            raise TercelError(f"{option} is for --spec; name its methods, or all")
    config = BenchmarkConfig(
        prompt_tokens=prompt_tokens,
        generated_tokens=generated_tokens,
        verify_nodes=verify_nodes,
        depth=depth,
        repetitions=repetitions,
    )
    image = Image.open(find_model(model))
    opened = open_with_settings(device, image, nodes=nodes, context=context, settings=settings)
    evidence = f"{device}, measured on this machine"
    if spec is not None:
        sampling = SamplingConfig(temperature=temperature, seed=seed)
        print_speculation_benchmark(
            image,
            opened,
            methods=spec,
            prompts=prompts or (),
            config=GenerationConfig(max_tokens=generated_tokens, sampling=sampling),
            acceptor=acceptor,
            draft_max=draft_max,
            draft_model=draft_model,
            evidence=evidence,
            output=output,
        )
        return
    rows = (_row(image, device, evidence, measured) for measured in run_benchmark(opened, config))
    print_rows(rows, output, heads=HEADS, cells=_cells)


def _row(
    image: Image, device: str, evidence: str, measured: Measurement
) -> dict[str, str | int | float]:
    speed, speed_deviation = measured.tokens_per_second
    cost, cost_deviation = measured.milliseconds_per_pass
    return {
        "model": image.config.name,
        "size_bytes": image.footprint.tape,
        "ternary_weights": image.config.ternary_weights,
        "device": device,
        "test": measured.test,
        "repetitions": len(measured.seconds),
        "tokens_per_second": speed,
        "tokens_per_second_sd": speed_deviation,
        "ms_per_pass": cost,
        "ms_per_pass_sd": cost_deviation,
        "bytes_per_token": measured.bytes_per_token,
        "evidence": evidence,
    }


def _cells(row: Row) -> list[str]:
    return [
        row["model"],
        format_bytes(row["size_bytes"]),
        format_count(row["ternary_weights"]),
        row["device"],
        row["test"],
        _spread(row, "tokens_per_second"),
        _spread(row, "ms_per_pass"),
        format_bytes(row["bytes_per_token"]),
        row["evidence"],
    ]


def _spread(row: Row, name: str) -> str:
    return f"{row[name]:.2f} \N{PLUS-MINUS SIGN} {row[f'{name}_sd']:.2f}"
