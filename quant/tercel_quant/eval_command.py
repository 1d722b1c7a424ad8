"""The command ``tercel eval``: perplexity on a text, or tasks of lm-evaluation-harness."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from tercel.cli.options import (
    DeviceOption,
    ModelArgument,
    NodesOption,
    SettingsOption,
    parse_settings,
)
from tercel.errors import TercelError
from tercel.image import Image
from tercel.runtime import DEFAULT_DEVICE, DEFAULT_MODEL, find_model
from tercel_quant.text_file import read_text

__all__ = ["evaluate"]


def evaluate(
    model: ModelArgument = DEFAULT_MODEL,
    text: Annotated[
        Path | None,
        typer.Option("--text", "-t", help="UTF-8 text to predict.", show_default=False),
    ] = None,
    tasks: Annotated[
        str | None,
        typer.Option(help="Tasks of lm-evaluation-harness, by name.", metavar="NAME,NAME,..."),
    ] = None,
    arithmetic: Annotated[
        list[str] | None,
        typer.Option(
            help="Of --text: unquantised (the checkpoint's weights), reference (the image's, in "
            "float32) or device (the device's arithmetic); may be given several times; by default "
            "the last two."
        ),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(help="Of --text: the image's checkpoint; required for unquantised."),
    ] = None,
    i2s_layout: Annotated[
        str | None,
        typer.Option(
            help="Of --checkpoint, a GGUF file whose weights do not tell it: x86, arm or rows.",
            metavar="NAME",
        ),
    ] = None,
    tokens: Annotated[
        int | None,
        typer.Option(help="Of --text: most tokens of all windows, spread over the text."),
    ] = None,
    include_path: Annotated[
        Path | None, typer.Option(help="Of --tasks: a folder of tasks of your own.", metavar="DIR")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(help="Of --tasks: most documents of a task.", metavar="N")
    ] = None,
    num_fewshot: Annotated[
        int | None, typer.Option(help="Of --tasks: examples before a question.", metavar="N")
    ] = None,
    chat: Annotated[
        bool, typer.Option("--chat", help="Of --tasks: ask through the model's chat template.")
    ] = False,
    device: DeviceOption = DEFAULT_DEVICE,
    nodes: NodesOption = None,
    settings: SettingsOption = None,
    context: Annotated[
        int | None,
        typer.Option(
            help="Tokens of a window; by default 512 of a text, what the model has for tasks.",
            metavar="N",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Measure a model: its perplexity on a text, or its answers to tasks.

    Of a text the effect of the device's arithmetic is shown too; that runs on the emulator. Tasks
    are those of lm-evaluation-harness, on any device.
    """
    if (text is None) == (tasks is None):
        raise TercelError("give either a text with --text, or names with --tasks")
    of_text = {"--arithmetic": arithmetic, "--checkpoint": checkpoint, "--tokens": tokens}
    of_text |= {"--i2s-layout": i2s_layout}
    of_tasks: dict[str, Any] = {"--include-path": include_path, "--limit": limit}
    of_tasks |= {"--num-fewshot": num_fewshot, "--chat": chat or None, "--nodes": nodes}
    of_tasks |= {"--set": settings, "--device": None if device == DEFAULT_DEVICE else device}
    for option, value in (of_tasks if tasks is None else of_text).items():
        if value is not None:
            other = "--tasks" if tasks is None else "--text"
            raise TercelError(f"{option} belongs to {other}; leave it out")
    if i2s_layout is not None and checkpoint is None:
        raise TercelError("--i2s-layout is of a checkpoint; give --checkpoint too")
    if text is not None:
        _evaluate_text(model, text, arithmetic, checkpoint, i2s_layout, context, tokens, as_json)
        return
    assert tasks is not None
    names = [name.strip() for name in tasks.split(",") if name.strip()]
    if not names:
        raise TercelError("--tasks names no task")
    try:
        from tercel_quant.harness import TercelLM, evaluate_tasks
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "lm_eval":
            raise
        raise TercelError(
            "--tasks needs lm_eval, which is not installed: install tercel[eval]"
        ) from None
    if limit is not None and limit < 1:
        raise TercelError(f"limit must be 1 or more, not {limit}")
    found = evaluate_tasks(
        TercelLM(
            model=model,
            device=device,
            nodes=nodes,
            context=context,
            settings=parse_settings(settings),
        ),
        names,
        include_path=include_path,
        limit=limit,
        fewshot=num_fewshot,
        chat=chat,
    )
    _print_tasks(found, model, device, as_json)


def _evaluate_text(
    model: str,
    text: Path,
    arithmetic: list[str] | None,
    checkpoint: Path | None,
    i2s_layout: str | None,
    context: int | None,
    tokens: int | None,
    as_json: bool,
) -> None:
    image = Image.open(find_model(model))
    content = read_text(text)
    from tercel_quant.evaluate import evaluate as measure

    found = measure(
        image,
        content,
        checkpoint=checkpoint,
        i2s_layout=i2s_layout,
        arithmetics=tuple(arithmetic or ("reference", "device")),
        context=context,
        tokens=tokens,
        report=lambda line: typer.echo(line, err=True),
    )
    rows = {
        name: {
            "perplexity": result.perplexity,
            "loss": result.loss,
            "bits_per_byte": found.bits_per_byte(name),
            "tokens": result.tokens,
        }
        for name, result in found.results.items()
    }
    if as_json:
        facts = {"model": image.config.name, "text": str(text), "context": found.context}
        facts |= {"results": rows, "device_change": found.device_change}
        facts |= {"device_change_standard_error": found.device_error}
        facts["evidence"] = "measured on this machine; device: emulator, exact"
        typer.echo(json.dumps(facts, indent=2))
        return
    typer.echo(f"{'arithmetic':<12} {'perplexity':>11} {'bits/byte':>10} {'tokens':>8}")
    for name, row in rows.items():
        typer.echo(
            f"{name:<12} {row['perplexity']:>11.4f} {row['bits_per_byte']:>10.4f} "
            f"{row['tokens']:>8}"
        )
    if found.device_change is not None and found.device_error is not None:
        change, error = 100 * found.device_change, 100 * found.device_error
        typer.echo(f"device over reference: {change:+.3f} % (standard error {error:.3f} %)")


def _print_tasks(found: dict[str, Any], model: str, device: str, as_json: bool) -> None:
    """Print the harness's results: a JSON object, or a row for each metric of each task."""
    results = found["results"]
    if as_json:
        facts = {"model": model, "device": device, "results": results}
        facts |= {key: found.get(key) for key in ("n-shot", "n-samples", "versions")}
        facts["evidence"] = "measured on this machine"
        typer.echo(json.dumps(facts, indent=2, default=str))
        return
    typer.echo(f"{'task':<24} {'metric':<24} {'value':>10} {'+-':>9} {'documents':>9}")
    for task, values in results.items():
        documents = found["n-samples"].get(task, {}).get("effective", "")
        for key, value in values.items():
            metric, _, kind = key.partition(",")
            if not kind or metric.endswith("_stderr") or not isinstance(value, int | float):
                continue
            error = values.get(f"{metric}_stderr,{kind}")
            spread = f"{error:.4f}" if isinstance(error, int | float) else ""
            name = metric if kind == "none" else f"{metric} ({kind})"
            typer.echo(f"{task:<24} {name:<24} {value:>10.4f} {spread:>9} {documents:>9}")
