"""``tercel bench``: speed of a model on a device."""

import csv
import enum
import json
import sys
from collections.abc import Iterable, Iterator
from typing import Annotated

import typer

from tercel.cli.options import (
    ContextOption,
    DeviceOption,
    ModelArgument,
    NodesOption,
    SettingsOption,
    open_with_settings,
)
from tercel.cli.units import format_bytes, format_count
from tercel.image import Image
from tercel.runtime import (
    DEFAULT_DEVICE,
    DEFAULT_MODEL,
    BenchmarkConfig,
    Measurement,
    find_model,
    run_benchmark,
)

__all__ = ["bench"]


class OutputFormat(str, enum.Enum):
    MD = "md"
    CSV = "csv"
    JSON = "json"


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
    """
    config = BenchmarkConfig(
        prompt_tokens=prompt_tokens,
        generated_tokens=generated_tokens,
        verify_nodes=verify_nodes,
        depth=depth,
        repetitions=repetitions,
    )
    image = Image.open(find_model(model))
    opened = open_with_settings(device, image, nodes=nodes, context=context, settings=settings)
    rows = (_row(image, device, measured) for measured in run_benchmark(opened, config))
    if output is OutputFormat.MD:
        _print_markdown(rows)
    elif output is OutputFormat.CSV:
        _print_csv(rows)
    else:
        typer.echo(json.dumps(list(rows), indent=2))


def _row(image: Image, device: str, measured: Measurement) -> dict[str, str | int | float]:
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
        "evidence": f"{device}, measured on this machine",
    }


def _print_csv(rows: Iterable[dict]) -> None:
    writer = None
    for row in rows:
        if writer is None:
            writer = csv.DictWriter(sys.stdout, list(row), lineterminator="\n")
            writer.writeheader()
        writer.writerow(row)
        sys.stdout.flush()


def _print_markdown(rows: Iterable[dict]) -> None:
    """Print a Markdown table, each row as soon as it is measured."""
    heads = {
        "model": 8,
        "size": 8,
        "weights": 8,
        "device": 9,
        "test": 12,
        "tokens/s": 18,
        "ms/pass": 18,
        "read/token": 10,
        "evidence": 34,
    }
    _print_line(name.ljust(width) for name, width in heads.items())
    _print_line("-" * width for width in heads.values())
    for row in rows:
        cells = (
            row["model"],
            format_bytes(row["size_bytes"]),
            format_count(row["ternary_weights"]),
            row["device"],
            row["test"],
            _spread(row, "tokens_per_second"),
            _spread(row, "ms_per_pass"),
            format_bytes(row["bytes_per_token"]),
            row["evidence"],
        )
        widths = heads.values()
        _print_line(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))


def _spread(row: dict, name: str) -> str:
    return f"{row[name]:.2f} \N{PLUS-MINUS SIGN} {row[f'{name}_sd']:.2f}"


def _print_line(cells: Iterator[str]) -> None:
    typer.echo(f"| {' | '.join(cells)} |")
