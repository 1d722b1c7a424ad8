"""The integers of ``numerics.attend``, and attention of one KV head with random contents."""

from dataclasses import dataclass

import numpy as np
import pytest

from tercel.numerics import CacheView, Quantised, attend
from tercel.numerics.float32 import multiply
from tercel.numerics.functions import LOG2_E, exp2_significands
from tercel_hw.attention import AttentionConfig
from tercel_hw.dense import DenseConfig


def bits_of(x):
    return np.ascontiguousarray(x, np.float32).view(np.uint32)


def bfloat16(rng, shape, low=-12, high=3):
    """Random bfloat16 bits of positive values in [2^low, 2^high)."""
    exponent = rng.integers(127 + low, 127 + high, shape)
    return (exponent << 7 | rng.integers(0, 128, shape)).astype(np.uint16)


def tree(parents):
    """The ancestors' matrix."""
    ancestors = np.eye(len(parents), dtype=bool)
    for node, parent in enumerate(parents):
        if parent >= 0:
            ancestors[node] |= ancestors[parent]
    return ancestors


@dataclass
class Softmax:
    """One walk: ``scores [S, turns, nodes]`` and what must come of them."""

    scores: np.ndarray
    value_scales: np.ndarray
    past: int
    ancestors: np.ndarray

    @property
    def nodes(self):
        return len(self.ancestors)

    def walk(self, lanes):
        return {
            "past": self.past,
            "nodes": self.nodes,
            "turns": self.scores.shape[1],
            "ancestors": masks(self.ancestors, lanes),
        }

    def visible(self, lanes):
        """``[S, lanes]``."""
        positions = len(self.scores)
        visible = np.zeros((positions, lanes), bool)
        visible[: self.past, : self.nodes] = True
        visible[self.past :, : self.nodes] = self.ancestors.T
        return visible

    def results(self):
        """Weights ``[S, turns, lanes]``, sums ``[turns, lanes]``, exponents ``[lanes]``."""
        lanes = self.scores.shape[2]
        visible = self.visible(lanes)[:, None]
        scores = np.where(visible, self.scores, -(1 << 17)).astype(np.int64)
        below = scores - scores.max(axis=0)
        significand = exp2_significands()[below & 511].astype(np.int64)
        octaves = -(below >> 9)
        shift = np.minimum(octaves, 30)
        terms = ((significand << 5) + (1 << shift)) >> (shift + 1)
        sums = np.where(visible, terms, 0).sum(axis=0)
        exponent = (self.value_scales >> 7).astype(np.int64)[:, None, None]
        mantissa = np.where(
            exponent > 0, (self.value_scales & 127).astype(np.int64)[:, None, None] | 128, 0
        )
        largest = np.where(visible, exponent, 0).max(axis=0)
        shift = np.clip(6 + octaves + largest - exponent, 6, 30)
        weights = (significand * mantissa + (1 << (shift - 1))) >> shift
        return np.where(visible, weights, 0), sums, largest[0]


@dataclass
class Head:
    """Queries ``[N, group, head size]`` against one KV head's cache of past and N nodes."""

    q: Quantised
    cache: CacheView
    ancestors: np.ndarray

    @classmethod
    def random(cls, rng, *, size, group, past, parents):
        nodes = len(parents)
        positions = past + nodes
        q = Quantised(
            values=rng.integers(-127, 128, (nodes, group, size)).astype(np.int8),
            scale=(rng.random((nodes, group)) * 0.05).astype(np.float32),
        )
        keys, values = rng.integers(-127, 128, (2, 1, positions, size)).astype(np.int8)
        cache = CacheView(
            keys=keys,
            key_scales=bfloat16(rng, (1, positions)),
            values=values,
            value_scales=bfloat16(rng, (1, positions)),
        )
        return cls(q, cache, tree(parents))

    @property
    def size(self):
        return self.q.values.shape[2]

    @property
    def past(self):
        return self.cache.keys.shape[1] - len(self.ancestors)

    def command(self, lanes):
        walk = {
            "past": self.past,
            "nodes": len(self.ancestors),
            "turns": self.q.values.shape[1],
            "ancestors": masks(self.ancestors, lanes),
        }
        return {"walk": walk, "elements": self.size}

    def query_scales(self):
        """``[N, group]``, the factor of a score but for the key's scale."""
        return multiply(self.q.scale, LOG2_E / np.sqrt(np.float32(self.size)))

    def golden(self):
        """float32 ``[N, group, head size]``."""
        return attend(self.q, self.cache, self.ancestors).reshape(self.q.values.shape)


def masks(ancestors, lanes):
    """A mask for each lane, those without a node empty."""
    rows = [sum(1 << j for j in np.flatnonzero(row)) for row in ancestors]
    return [int(row) for row in rows] + [0] * (lanes - len(rows))


def shape(*, packed=False, nodes=2, macs=16):
    dense = DenseConfig(
        nodes=nodes,
        macs=macs,
        turns=2,
        vector_beats=16,
        total_words=32,
        rows=64,
        packed=packed,
    )
    return AttentionConfig(dense=dense, positions=32, score_words=64, ram_style=None)


@pytest.fixture
def config():
    return shape()


@pytest.fixture
def shape_of():
    return shape


@pytest.fixture
def bits():
    return bits_of


@pytest.fixture
def random_head():
    return Head.random


@pytest.fixture
def scales_of():
    return bfloat16


@pytest.fixture
def softmax_of():
    return Softmax


@pytest.fixture
def tree_of():
    return tree
