"""Speculation in ``tercel bench``: every method on prompts, against plain decoding."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tercel.cli.speculation import draft_sources, open_acceptor, print_note
from tercel.cli.table import OutputFormat, Row, print_rows
from tercel.device import Device
from tercel.errors import TercelError
from tercel.image import Image
from tercel.runtime import GenerationConfig, TextTokenizer
from tercel.runtime.prompt_file import read_prompts
from tercel.runtime.speculation_benchmark import run_speculation_benchmark
from tercel.speculation.methods import AUTO, METHODS, open_speculator

__all__ = ["print_speculation_benchmark"]

ALL = "all"
HEADS = {"method": 10, "prompts": 10, "tokens/verify": 13, "accepted by position": 30}
HEADS |= {"ms/draft": 8, "ms/verify": 9, "ms/token": 8, "speed-up": 8, "text": 7, "evidence": 34}


def print_speculation_benchmark(
    image: Image,
    device: Device,
    *,
    methods: str,
    prompts: Sequence[Path],
    config: GenerationConfig,
    acceptor: str,
    draft_max: int | None,
    draft_model: str | None,
    evidence: str,
    output: OutputFormat,
) -> None:
    """Measure methods of speculation and print a row for each method and kind of prompt.

    Parameters
    ----------
    methods
        Names separated by commas, or ``all``: those whose parts are there.
    prompts
        Files of prompts.
    evidence
        Evidence class of the times.

    Raises
    ------
    TercelError
        If a method, the acceptor, a file of prompts or a prompt is refused.
    """
    texts = [prompt for path in prompts for prompt in read_prompts(path)]
    if not texts:
        raise TercelError("--spec measures texts: name files of prompts with --prompts")
    tokenizer = TextTokenizer.of_image(image)
    names = (AUTO, *METHODS) if methods == ALL else methods.split(",")
    sources = draft_sources(image, device, draft_model, names)
    judge = open_acceptor(acceptor, image, tokenizer)
    speculators = {}
    for name in names:
        try:
            speculators[name] = open_speculator(
                name, sources, acceptor=judge, draft_nodes=draft_max, note=print_note
            )
        except TercelError:
            if methods != ALL or name == AUTO:
                raise
    found = run_speculation_benchmark(device, tokenizer, speculators, texts, config)
    rows: Iterator[dict[str, Any]] = (
        each.to_dict() | {"acceptor": acceptor, "evidence": evidence} for each in found
    )
    print_rows(rows, output, heads=HEADS, cells=_cells)


def _cells(row: Row) -> list[str]:
    positions = " ".join(f"{part:.2f}" for part in row["accepted_by_position"])
    return [
        row["method"],
        row["kind"],
        _number(row["tokens_per_verify"], 2),
        positions,
        _number(row["ms_per_draft"], 3),
        _number(row["ms_per_verify"], 3),
        _number(row["ms_per_token"], 3),
        _number(row["speedup"], 2),
        row["text"],
        row["evidence"],
    ]


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
