"""``tercel bench``: speed of a model on a device."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from tercel.cli.bench_record import benchmark_record
from tercel.cli.bench_speculation import print_speculation_benchmark
from tercel.cli.bench_table import (
    measurement_row,
    print_measurements,
    speculation_evidence,
)
from tercel.cli.generation import TwoStageOption
from tercel.cli.options import (
    ContextOption,
    DeviceOption,
    ModelArgument,
    NodesOption,
    SettingsOption,
    open_with_settings,
)
from tercel.cli.outputs import open_output
from tercel.cli.speculation import AcceptorOption, DraftMaxOption, DraftModelOption, print_note
from tercel.cli.table import OutputFormat
from tercel.device import Device
from tercel.errors import TercelError
from tercel.hwmon import HWMON, power_sensors, temperature_sensors
from tercel.image import Image
from tercel.runtime import (
    DEFAULT_DEVICE,
    DEFAULT_MODEL,
    BenchmarkConfig,
    GenerationConfig,
    TextTokenizer,
    find_model,
    run_benchmark,
)
from tercel.sampling import SamplingConfig

__all__ = ["bench"]

SPECULATION_TOKENS = 32
"""Tokens by which --spec continues a prompt, by default."""
SIZES = {
    "prompt_tokens": "--prompt-tokens",
    "generated_tokens": "--generated-tokens",
    "text_tokens": "--text-tokens",
    "depths": "--depth",
}
OPTIONS = SIZES | {"verify_nodes": "--verify", "repetitions": "--repetitions"}


def bench(
    model: ModelArgument = DEFAULT_MODEL,
    prompt_tokens: Annotated[
        str | None,
        typer.Option(
            "--prompt-tokens",
            "-p",
            help="pp: tokens of a prefill, sizes separated by commas; 0: none. [64,128,512]",
            metavar="N,...",
        ),
    ] = None,
    generated_tokens: Annotated[
        str | None,
        typer.Option(
            "--generated-tokens",
            "-n",
            help="tg: tokens one by one; 0: none. [128; of a text with --spec: 32]",
            metavar="N,...",
        ),
    ] = None,
    text_tokens: Annotated[
        str | None,
        typer.Option(
            "--text-tokens",
            "-t",
            help="text: tokens with sampling and tokens to text; 0: none. [128]",
            metavar="N,...",
        ),
    ] = None,
    verify_nodes: Annotated[
        int | None,
        typer.Option(
            "--verify", "-v", help="v1 to vN: a pass of 1 to N nodes; 0: none. [the device's K]"
        ),
    ] = None,
    depth: Annotated[
        str | None,
        typer.Option(
            "--depth",
            "-d",
            help="Positions in the cache before every test. [0,1024]",
            metavar="N,...",
        ),
    ] = None,
    repetitions: Annotated[
        int | None, typer.Option("--repetitions", "-r", help="Runs of each test. [5]")
    ] = None,
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
    temperature: Annotated[float, typer.Option(help="Of texts and --spec: 0 is greedy.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Of texts and --spec: seed of the noise.")] = 0,
    two_stage: TwoStageOption = False,
    acceptor: AcceptorOption | None = None,
    draft_max: DraftMaxOption = None,
    draft_model: DraftModelOption = None,
    device: DeviceOption = DEFAULT_DEVICE,
    nodes: NodesOption = None,
    context: ContextOption = None,
    settings: SettingsOption = None,
    sensors: Annotated[
        Path, typer.Option(help="Folder of the machine's sensors.", metavar="FOLDER")
    ] = HWMON,
    output: Annotated[
        OutputFormat, typer.Option("--output", "-o", help="Form of the result.")
    ] = OutputFormat.MD,
    submit: Annotated[
        Path | None,
        typer.Option(
            help="Also write a record: result, versions, device, clock, memory rate, self-test.",
            metavar="FILE",
        ),
    ] = None,
) -> None:
    """Measure a model on a device.

    pp is prompt processing, tg text generation, vK one pass that verifies K nodes; its time over
    that of v1 is the cost of speculation. Their tokens are random; tokenisation and sampling are
    not measured. text generates a text, and shows what of its time they take. Values are mean and
    standard deviation. Every test runs at every depth; by default those that fit the context.

    --spec continues prompts by -n tokens, plainly and with every method, and gives a row for each
    method and file of prompts. Repetitions of greedy text are left out.

    --two-stage runs the head of every pass but those of pp in two stages.
    """
    sampling = SamplingConfig(temperature=temperature, seed=seed)
    sizes = {
        "prompt_tokens": prompt_tokens,
        "generated_tokens": generated_tokens,
        "text_tokens": text_tokens,
        "depths": depth,
    }
    values: dict[str, Any] = {
        name: _sizes(name, text) for name, text in sizes.items() if text is not None
    }
    for name, value in (("verify_nodes", verify_nodes), ("repetitions", repetitions)):
        if value is not None:
            values[name] = value
    path = find_model(model)
    open_it = partial(open_with_settings, device, nodes=nodes, context=context, settings=settings)
    if spec is None:
        _refuse(
            "is for --spec; name its methods, or all",
            {
                "--prompts": prompts,
                "--acceptor": acceptor,
                "--draft-model": draft_model,
                "--draft-max": draft_max,
            },
        )
        optional = frozenset({*SIZES, "verify_nodes"} - set(values))
        config = BenchmarkConfig(
            **values, sampling=sampling, two_stage=two_stage, optional=optional
        )
        _measure(path, device, open_it, config, sensors=sensors, output=output, submit=submit)
        return
    tokens = values.pop("generated_tokens", (SPECULATION_TOKENS,))
    _refuse(
        "does not apply to --spec; leave it out",
        {OPTIONS[name]: value for name, value in values.items()} | {"--submit": submit},
    )
    if len(tokens) != 1:
        raise TercelError(f"--spec takes one -n, not {generated_tokens!r}")
    image = Image.open(path)
    opened = open_it(image)
    print_speculation_benchmark(
        image,
        opened,
        methods=spec,
        prompts=prompts or (),
        config=GenerationConfig(max_tokens=tokens[0], sampling=sampling, two_stage=two_stage),
        acceptor="agreement" if acceptor is None else acceptor,
        draft_max=draft_max,
        draft_model=draft_model,
        evidence=speculation_evidence(device, opened.facts()),
        output=output,
    )


def _measure(
    path: Path,
    device: str,
    open_it: Callable[[Image], Device],
    config: BenchmarkConfig,
    *,
    sensors: Path,
    output: OutputFormat,
    submit: Path | None,
) -> None:
    """Run the tests, print their rows and write their record."""
    with ExitStack() as stack:
        file = None
        if submit is not None:
            file = stack.enter_context(open_output(submit, inputs=[path]))
        image = Image.open(path)
        opened = open_it(image)
        tokenizer = None if image.tokenizer is None else TextTokenizer.of_image(image)
        power, degrees = power_sensors(sensors), temperature_sensors(sensors)
        plan, found = run_benchmark(
            opened, config, tokenizer=tokenizer, power=power, temperature=degrees
        )
        if plan.left_out:
            print_note(f"left out, as they do not fit the context: {', '.join(plan.left_out)}")
        facts, rows = opened.facts(), []

        def kept() -> Iterator[dict[str, Any]]:
            for measured in found:
                row = measurement_row(image, device, facts, measured)
                rows.append(row | {"two_stage": config.two_stage})
                yield rows[-1]

        print_measurements(kept(), output)
        if file is not None:
            from tercel.doctor.measured_facts import measured_facts

            record = benchmark_record(
                image,
                device,
                measured_facts(opened, facts),  # overwrites the model
                rows,
                sensors=[*power, *degrees],
                left_out=plan.left_out,
            )
            file.write((json.dumps(record, indent=2) + "\n").encode())


def _refuse(reason: str, given: Mapping[str, object]) -> None:
    """Refuse options that have a value.

    Raises
    ------
    TercelError
        If one has.
    """
    for option, value in given.items():
        if value is not None:
            raise TercelError(f"{option} {reason}")


def _sizes(name: str, text: str) -> tuple[int, ...]:
    """Parse sizes separated by commas; a single 0 is none, but for depths."""
    try:
        found = tuple(int(size) for size in text.split(","))
    except ValueError:
        raise TercelError(
            f"{SIZES[name]} takes integers separated by commas, not {text!r}"
        ) from None
    return () if found == (0,) and name != "depths" else found
