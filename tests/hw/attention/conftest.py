"""The integers of ``numerics.attend``, and random contents for a KV head and for a layer."""

from dataclasses import dataclass

import numpy as np
import pytest

from tercel.numerics import CacheView, Quantised, attend
from tercel.numerics.functions import LOG2_E, exp2_significands
from tercel.program import LanePlan, Slices
from tercel_hw.attention import AttentionConfig, AttentionUnitConfig
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
    """A sweep: ``scores [S, lanes]`` and what must come of them."""

    scores: np.ndarray
    value_scales: np.ndarray
    base: int
    ancestors: np.ndarray
    lanes_per_head: int

    def visible(self):
        """``[S, lanes]``."""
        positions, lanes = self.scores.shape
        visible = np.zeros((positions, lanes), bool)
        for lane in range(lanes):
            node = lane % self.lanes_per_head
            if node < len(self.ancestors):
                visible[: self.base, lane] = True
                visible[self.base :, lane] = self.ancestors[node]
        return visible

    def results(self):
        """Weights ``[S, lanes]``, sums ``[lanes]``, exponents ``[lanes]``."""
        visible = self.visible()
        scores = np.where(visible, self.scores, -(1 << 17)).astype(np.int64)
        below = scores - scores.max(axis=0)
        significand = exp2_significands()[below & 511].astype(np.int64)
        octaves = -(below >> 9)
        shift = np.minimum(octaves, 30)
        terms = ((significand << 5) + (1 << shift)) >> (shift + 1)
        sums = np.where(visible, terms, 0).sum(axis=0)
        exponent = (self.value_scales >> 7).astype(np.int64)[:, None]
        mantissa = np.where(
            exponent > 0, (self.value_scales & 127).astype(np.int64)[:, None] | 128, 0
        )
        largest = np.where(visible, exponent, 0).max(axis=0)
        shift = np.clip(6 + octaves + largest - exponent, 6, 30)
        weights = (significand * mantissa + (1 << (shift - 1))) >> shift
        return np.where(visible, weights, 0), sums, largest


@dataclass
class Layer:
    """All heads of a layer, and its cache as words of memory from ``address`` on."""

    q: Quantised
    cache: CacheView
    ancestors: np.ndarray

    @classmethod
    def random(cls, rng, *, kv_heads, head_slots, size, base, parents):
        nodes = len(parents)
        heads, positions = kv_heads * head_slots, base + nodes
        q = Quantised(
            values=rng.integers(-127, 128, (nodes, heads, size)).astype(np.int8),
            scale=(rng.random((nodes, heads)) * 0.05).astype(np.float32),
        )
        rows = (2, kv_heads, positions, size)
        keys, values = rng.integers(-127, 128, rows).astype(np.int8)
        cache = CacheView(
            keys=keys,
            key_scales=bfloat16(rng, (kv_heads, positions)),
            values=values,
            value_scales=bfloat16(rng, (kv_heads, positions)),
        )
        return cls(q, cache, tree(parents))

    @property
    def heads(self):
        return self.q.values.shape[1]

    @property
    def positions(self):
        return self.cache.keys.shape[1]

    @property
    def head_slots(self):
        return self.heads // len(self.cache.keys)

    def plan(self, lanes):
        return LanePlan(lanes=lanes, nodes=len(self.ancestors), heads=self.head_slots)

    def slices(self, word_bytes):
        return Slices(word_bytes=word_bytes, elements=self.q.values.shape[2])

    def fields(self, config):
        """Fields of the attention's command."""
        plan, slices = self.plan(config.nodes), self.slices(config.dense.macs)
        return {
            "base": self.positions - len(self.ancestors),
            "nodes": len(self.ancestors),
            "lanes_per_head": plan.lanes_per_head,
            "heads": self.head_slots,
            "head_slots": plan.head_slots,
            "sweeps": len(self.cache.keys) * plan.sweeps,
            "elements": self.q.values.shape[2],
            "full": slices.full,
            "half": slices.half,
            "ancestors": masks(self.ancestors, config.nodes),
        }

    def command(self, word_bytes, address, lanes):
        """Places for a position more than there are, and some words to spare."""
        kv_heads, positions, size = self.cache.keys.shape
        plan, slices = self.plan(lanes), self.slices(word_bytes)
        row_words = slices.words(positions + 1) + 1
        factor = bits_of(LOG2_E / np.sqrt(np.float32(size)))
        return {
            "sweeps": kv_heads * plan.sweeps,
            "sweeps_per_kv_head": plan.sweeps,
            "heads": self.head_slots,
            "head_slots": plan.head_slots,
            "lanes_per_head": plan.lanes_per_head,
            "head_size": size,
            "nodes": len(self.ancestors),
            "base": positions - len(self.ancestors),
            "factor": int(factor.item()),
            "full": slices.full,
            "half": slices.half,
            "cache": address,
            "slice_words": positions + 1,
            "half_at": slices.full * (positions + 1),
            "row_words": row_words,
            "head_stride": 2 * row_words + -(-4 * positions // word_bytes) + 2,
            "ancestors": sum(
                mask << 16 * node for node, mask in enumerate(masks(self.ancestors, 0))
            ),
        }

    def store(self, memory, address, lanes):
        """Put the cache into ``memory``, uint8 ``[words, word bytes]``."""
        word_bytes = memory.shape[1]
        command = self.command(word_bytes, address, lanes)
        scales = np.stack([self.cache.key_scales, self.cache.value_scales], axis=-1)
        flat = memory.reshape(-1)
        positions = self.positions
        for head in range(len(self.cache.keys)):
            block = address + head * command["head_stride"]
            for index, rows in enumerate((self.cache.keys[head], self.cache.values[head])):
                first = block + index * command["row_words"]
                slices = self.slices(word_bytes)
                for number, size in enumerate(slices.sizes()):
                    at = (first + slices.starts(positions + 1)[number]) * word_bytes
                    place = flat[at : at + positions * size].reshape(positions, size)
                    part = rows[:, number * word_bytes :][:, :size].view(np.uint8)
                    place[:, : part.shape[1]] = part
            data = scales[head].view(np.uint8).reshape(-1)
            start = (block + 2 * command["row_words"]) * word_bytes
            flat[start : start + len(data)] = data

    def columns(self, lanes):
        """The queries' columns; lanes without a node hold something."""
        nodes, heads, size = self.q.values.shape
        values = np.pad(self.q.values, ((0, lanes - nodes), (0, 0), (0, 0)), constant_values=99)
        return [
            {"values": values[:, head, element].tolist(), "last": element == size - 1}
            for head in range(heads)
            for element in range(size)
        ]

    def query_scales(self, lanes):
        """Bits of the queries' scales, for each head."""
        scales = np.pad(self.q.scale, ((0, lanes - len(self.q.scale)), (0, 0)))
        return bits_of(scales.T).tolist()

    def golden(self):
        """Bits ``[heads * head size, N]``."""
        return bits_of(attend(self.q, self.cache, self.ancestors).T)


def masks(ancestors, lanes):
    """A mask for each lane, those without a node empty."""
    rows = [sum(1 << j for j in np.flatnonzero(row)) for row in ancestors]
    return [int(row) for row in rows] + [0] * (lanes - len(rows))


def shape(*, nodes=2, macs=16, slices=16, totals=6):
    dense = DenseConfig(
        nodes=nodes, macs=macs, chain=macs // 2, slices=slices, tile=32, totals=totals, rows=64
    )
    return AttentionConfig(dense=dense, positions=64, sweeps=8, ram_style=None)


def unit_shape(*, tile=16, **fields):
    return AttentionUnitConfig(attention=shape(**fields), tile=tile)


@pytest.fixture
def config():
    return shape()


@pytest.fixture
def shape_of():
    return shape


@pytest.fixture
def unit_shape_of():
    return unit_shape


@pytest.fixture
def random_layer():
    return Layer.random


@pytest.fixture
def bits():
    return bits_of


@pytest.fixture
def scales_of():
    return bfloat16


@pytest.fixture
def softmax_of():
    return Softmax


@pytest.fixture
def tree_of():
    return tree


@pytest.fixture(scope="module", autouse=True)
def _garbage_at_collisions(colliding_memories):
    """No answer depends on a memory that is read and written at one address in a cycle."""
