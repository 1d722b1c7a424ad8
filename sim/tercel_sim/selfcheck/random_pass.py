"""Random passes: trees, asks, and the positions before them."""

import random
from dataclasses import dataclass

import numpy as np

from tercel.config import ModelConfig
from tercel.device import Ask, KVCache
from tercel.device.interface import Limits
from tercel.image.layout import ROW_BLOCK
from tercel.numerics import CacheView
from tercel.numerics.float32 import Float32
from tercel_sim.selfcheck.numbers import at_a_limit

__all__ = ["RandomPass", "random_cache", "random_pass"]

EXPONENTS = (107, 137)
"""Range of the biased exponents of cached scales: 2^-20 to 2^10."""


@dataclass(frozen=True, kw_only=True)
class RandomPass:
    """A pass and its commit."""

    restored: int | None
    """Positions of a random cache to restore before the pass; ``None``: the cache is kept."""
    tokens: list[int | None] | None
    rows: Float32 | dict[int, Float32] | None
    """Embedding rows instead of tokens, of all nodes or by node."""
    parents: list[int]
    ask: Ask
    path: list[int] | None
    """Path to commit, or None."""

    def describe(self, length: int) -> str:
        """Describe the pass in one line."""
        asked = [name for name in ("argmax", "hidden", "logits") if getattr(self.ask, name)]
        asked += [f"top-{self.ask.top_k}"] * (self.ask.top_k > 0)
        asked += [f"{self.ask.head_rows} rows of the head"] * (self.ask.head_rows is not None)
        asked += ["two stages"] * self.ask.two_stage
        asked += ["not all layers"] * (self.ask.layer_mask is not None)
        source = "embedding rows" if self.tokens is None else "tokens"
        if isinstance(self.rows, dict):
            source = f"tokens, {len(self.rows)} of them embedding rows,"
        return (
            f"{len(self.parents)} {source} with parents {self.parents} after {length} positions"
            f" ({', '.join(asked) or 'nothing asked'})"
        )


def random_pass(
    draw: random.Random, model: ModelConfig, limits: Limits, *, length: int
) -> RandomPass:
    """Draw a pass after ``length`` positions, or after a cache to restore.

    Every other pass with the most nodes ends at a full context.
    """
    restored = None
    if length == limits.context or draw.random() < 0.3:
        ends = (0, max(0, limits.context - limits.nodes), draw.randrange(limits.context))
        restored = length = draw.choice(ends)
    most = min(limits.nodes, limits.context - length)
    nodes = draw.choice((most, draw.randint(1, most)))
    tokens: list[int | None] | None = [_token(draw, model.vocab_size) for _ in range(nodes)]
    rows = None
    if draw.random() < 0.15:
        generator = np.random.default_rng(draw.getrandbits(32))
        rows = generator.normal(size=(nodes, model.hidden_size)).astype(np.float32)
        if draw.random() < 0.3:
            tokens = None
        else:
            given = draw.sample(range(nodes), draw.randint(1, nodes))
            rows = {node: rows[node] for node in given}
            tokens = [None if node in rows else token for node, token in enumerate(tokens)]
    chain = draw.random() < 0.3
    parents = [-1, *(node - 1 if chain else draw.randrange(node) for node in range(1, nodes))]
    ask = _random_ask(draw, model, limits, nodes)
    whole = all(attention for attention, _ in ask.layer_mask or ())
    return RandomPass(
        restored=restored,
        tokens=tokens,
        rows=rows,
        parents=parents,
        ask=ask,
        path=_path(draw, parents) if whole and draw.random() < 0.8 else None,
    )


def random_cache(draw: random.Random, model: ModelConfig, positions: int) -> KVCache:
    """Draw a cache of keys, values and scales of many magnitudes."""
    generator = np.random.default_rng(draw.getrandbits(32))
    cache = KVCache(config=model, positions=max(positions, 1))
    shape = (model.kv_heads, positions)
    wide = draw.random() < 0.3

    def scales():
        exponents = generator.integers(*(EXPONENTS if wide else (119, 122)), shape)
        return (exponents << 7 | generator.integers(0, 128, shape)).astype(np.uint16)

    def rows():
        return generator.integers(-127, 128, (*shape, model.head_size)).astype(np.int8)

    for layer in range(model.layers):
        view = CacheView(keys=rows(), values=rows(), key_scales=scales(), value_scales=scales())
        cache.store(layer, view)
    return cache


def _token(draw: random.Random, rows: int) -> int:
    return draw.choice((0, rows - 1, draw.randrange(rows), draw.randrange(rows)))


def _random_ask(draw: random.Random, model: ModelConfig, limits: Limits, nodes: int) -> Ask:
    def some():
        every = tuple(range(nodes))
        return draw.choice(((), every, tuple(draw.sample(every, draw.randint(1, nodes)))))

    head_rows = None
    if draw.random() < 0.3:
        blocks = ROW_BLOCK * draw.randint(0, model.vocab_size // ROW_BLOCK)
        head_rows = draw.choice((at_a_limit(draw, 1, model.vocab_size), blocks + 1, blocks - 1))
        head_rows = min(model.vocab_size, max(1, head_rows))
    mask = None
    if draw.random() < 0.15:
        mask = tuple((draw.random() < 0.7, draw.random() < 0.7) for _ in range(model.layers))
    two_stage = 0 < model.shortlist <= limits.shortlist and draw.random() < 0.6
    most = min(limits.most_top_k(two_stage=two_stage), head_rows or model.vocab_size)
    return Ask(
        argmax=draw.random() < 0.7,
        top_k=draw.choice((0, most, draw.randint(1, most))),
        logits=() if two_stage else some(),
        hidden=some(),
        layer_mask=mask,
        head_rows=head_rows,
        two_stage=two_stage,
    )


def _path(draw: random.Random, parents: list[int]) -> list[int]:
    """Draw a path from node 0 downwards, not always to a leaf."""
    path = [0]
    while draw.random() < 0.8:
        children = [node for node, parent in enumerate(parents) if parent == path[-1]]
        if not children:
            break
        path.append(draw.choice(children))
    return path
