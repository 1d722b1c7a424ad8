"""Passes of any-subset speculative decoding: a small model of bytes, trained here.

Evidence class: measured in software. One thread:
`python bench/any_subset.py --text build/corpus/train.txt --held-out build/corpus/val.txt`.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from tercel_quant.any_subset import (
    AnySubsetConfig,
    AnySubsetModel,
    AnySubsetTraining,
    NeighbourDraft,
    SelfDraft,
    decode_plainly,
    decode_speculatively,
    train_any_subset,
)

BYTES = 256
PROMPT = 0.25
"""Share of a text's positions that are given, at random places."""


def read_bytes(path: Path, most: int) -> np.ndarray:
    with open(path, "rb") as file:
        return np.frombuffer(file.read(most), np.uint8).astype(np.int64)


def measure(model: AnySubsetModel, text: np.ndarray, draft, *, texts: int, size: int):
    """Passes a token, and the share of drafted tokens that are kept, over texts of the held-out
    text with a quarter of the positions given; ``draft`` is ``None`` for plain decoding."""
    rng = np.random.default_rng(1)
    length = model.config.length
    passes = drafted = accepted = 0

    def draw(weights):
        return int(np.searchsorted(np.cumsum(weights), rng.random() * weights.sum(), side="right"))

    prompt = int(PROMPT * length)
    for start in rng.integers(0, len(text) - length, texts):
        tokens, order = text[start : start + length], rng.permutation(length)
        if draft is None:
            found = decode_plainly(model, tokens, order, prompt=prompt, draw=draw)
        else:
            found = decode_speculatively(
                model, tokens, order, prompt=prompt, draft=draft, size=size, draw=draw
            )
        passes, drafted = passes + found.passes, drafted + found.drafted
        accepted += found.accepted
    return passes / (texts * (length - prompt)), accepted / max(1, drafted)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--held-out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--texts", type=int, default=40)
    parser.add_argument("--weights", type=Path, default=Path("build/any_subset.pt"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = AnySubsetModel(AnySubsetConfig(vocab_size=BYTES))
    model.initialise(seed=1)
    text = read_bytes(options.text, 8_000_000)
    if options.weights.exists():
        model.load_state_dict(torch.load(options.weights, weights_only=True))
    else:
        train_any_subset(
            model,
            torch.from_numpy(text),
            AnySubsetTraining(steps=options.steps),
            report=lambda step, loss: print(step, round(loss, 3)) if step % 50 == 0 else None,
        )
        options.weights.parent.mkdir(parents=True, exist_ok=True)
        torch.save(model.state_dict(), options.weights)
    held_out = read_bytes(options.held_out, 1_000_000)
    table = Table("draft", "k", "passes a token", "drafted tokens kept")
    rows = [("none", None, 1)] + [("self", SelfDraft(), size) for size in (2, 3, 5, 8)]
    neighbours = NeighbourDraft.of_text(text, BYTES)
    rows += [("neighbours", neighbours, size) for size in (1, 2, 4, 8)]
    for name, draft, size in rows:
        passes, kept = measure(model, held_out, draft, texts=options.texts, size=size)
        table.add_row(name, str(size), f"{passes:.3f}", f"{kept:.2f}" if draft else "")
    Console().print(table)


if __name__ == "__main__":
    main()
