"""Random models at the limits of an accelerator."""

import random
from dataclasses import replace

from tercel.config import ACTIVATIONS, SHORTLISTS, ModelConfig
from tercel.errors import TercelError
from tercel.image import segments
from tercel.image.layout import padded_rows
from tercel.program import AcceleratorSpec
from tercel_sim.selfcheck.numbers import at_a_limit

__all__ = ["pass_cycles", "random_model"]

MOST_LAYERS = 3
TRIES = 1000


def random_model(draw: random.Random, spec: AcceleratorSpec, *, most_cycles: int) -> ModelConfig:
    """Draw a model that the accelerator runs, with some of its sizes at their limits.

    Parameters
    ----------
    most_cycles
        Approximate limit of a pass; larger models are drawn again.

    Raises
    ------
    TercelError
        If no model of a thousand is small enough.
    """
    for _ in range(TRIES):
        try:
            model = _draw(draw, spec)
            spec.check(model, spec.layout)
        except TercelError:
            continue  # The queries of a head have more slices than the dense engine.
        if pass_cycles(model, spec) <= most_cycles:
            return model
    raise TercelError(
        f"no random model takes less than {most_cycles} cycles a pass; allow more of them"
    )


def pass_cycles(model: ModelConfig, spec: AcceleratorSpec) -> int:
    """Estimate the cycles of a pass of all nodes at a full context, without overlap of units."""
    layout = spec.layout
    cycles = padded_rows(model.vocab_size) * spec.nodes
    for segment in segments(model, layout):
        if segment.ternary:
            row_chunks = segment.rows * len(segment.form(layout).row_chunks.sizes)
            cycles += row_chunks + 4 * segment.columns
        if segment.played:
            cycles += segment.words
    context = min(model.context, spec.positions)
    slices = layout.words(model.head_size)
    return cycles + 2 * model.layers * model.heads * context * slices


def _draw(draw: random.Random, spec: AcceleratorSpec) -> ModelConfig:
    head_size = 16 * at_a_limit(draw, 1, max(1, min(spec.head_size, spec.columns) // 16))
    heads = at_a_limit(draw, 1, max(1, min(spec.sweeps, spec.columns // head_size)))
    divisors = [count for count in range(1, heads + 1) if heads % count == 0]
    model = ModelConfig(
        name="random",
        layers=draw.randint(1, MOST_LAYERS),
        hidden_size=at_a_limit(draw, 1, spec.hidden),
        ffn_size=at_a_limit(draw, 1, spec.columns),
        heads=heads,
        kv_heads=draw.choice((1, heads, draw.choice(divisors))),
        head_size=head_size,
        vocab_size=at_a_limit(draw, 1, spec.rows),
        context=at_a_limit(draw, 1, spec.positions),
        activation=draw.choice(ACTIVATIONS),
        sub_norms=draw.random() < 0.5,
        tied_head=draw.random() < 0.5,
    )
    return _scaled(draw, model, spec) if spec.groups or spec.qk_norm else model


def _scaled(draw: random.Random, model: ModelConfig, spec: AcceleratorSpec) -> ModelConfig:
    """Draw what an accelerator with groups or q/k norms plays of version 3."""
    granularity = draw.choice(("tensor", "row", "group", "group")) if spec.groups else "tensor"
    ternary = granularity == "group" and draw.random() < 0.5
    qk_norm = spec.qk_norm and draw.random() < 0.5
    lists = [size for size in SHORTLISTS if size <= spec.shortlist]
    shortlist = draw.choice(lists) if lists and not ternary and draw.random() < 0.6 else 0
    return replace(
        model,
        granularity=granularity,
        ternary_head=ternary,
        qk_norm=qk_norm,
        shortlist=shortlist,
    )
