"""Heads with random contents, and the memory that they are written to."""

import itertools
from dataclasses import dataclass

import numpy as np
import pytest

from tercel.program import Slices
from tercel_hw.cache import CacheConfig
from tercel_hw.memory import AxiConfig, BurstConfig, StripedWriterConfig, WriterConfig
from tercel_hw.vector import VectorConfig
from tercel_sim.testbench import every_cycle


def shape(*, nodes=2, ports=2, port_bytes=8, head_size=48):
    vector = VectorConfig(
        nodes=nodes,
        columns=256,
        hidden=64,
        head_size=head_size,
        word_bytes=ports * port_bytes,
    )
    burst = BurstConfig(axi=AxiConfig(data_width=8 * port_bytes), max_beats=16, count_width=16)
    writer = WriterConfig(burst=burst, outstanding=4, buffer_beats=32, strobes=True)
    return CacheConfig(vector=vector, writer=StripedWriterConfig(writer=writer, ports=ports))


@dataclass
class Heads:
    """Keys, then values: ``rows [2, kv_heads, lanes, size]``, ``scales [2, kv_heads, lanes]``.

    The memory is a sequence of bytes.
    """

    rows: np.ndarray
    scales: np.ndarray
    nodes: int
    base: int
    cache: int
    context: int
    word_bytes: int

    @classmethod
    def random(cls, rng, config, *, size, kv_heads=2, nodes=None, base=0, context=32, cache=3):
        lanes = config.vector.nodes
        return cls(
            rng.integers(-127, 128, (2, kv_heads, lanes, size)).astype(np.int8),
            rng.integers(0, 1 << 15, (2, kv_heads, lanes)).astype(np.uint16),
            nodes or lanes,
            base,
            cache,
            context,
            config.vector.word_bytes,
        )

    @property
    def slices(self):
        return Slices(word_bytes=self.word_bytes, elements=self.rows.shape[3])

    @property
    def row_words(self):
        return self.slices.words(self.context)

    @property
    def head_stride(self):
        return 2 * self.row_words + -(-4 * self.context // self.word_bytes) + 1

    @property
    def command(self):
        _, kv_heads, _, size = self.rows.shape
        return {
            "query_heads": 3,
            "kv_heads": kv_heads,
            "head_size": size,
            "nodes": self.nodes,
            "base": self.base,
            "full": self.slices.full,
            "half": self.slices.half,
            "cache": self.cache,
            "slice_words": self.context,
            "half_at": self.slices.full * self.context,
            "row_words": self.row_words,
            "head_stride": self.head_stride,
        }

    @property
    def columns(self):
        heads = self.rows.reshape(-1, *self.rows.shape[2:])
        size = heads.shape[2]
        return [
            {"values": head[:, index].tolist(), "last": index == size - 1}
            for head in heads
            for index in range(size)
        ]

    @property
    def scale_rows(self):
        return self.scales.reshape(-1, self.scales.shape[2]).tolist()

    def memory_bytes(self):
        return (self.cache + self.rows.shape[1] * self.head_stride + 1) * self.word_bytes

    def write(self, memory):
        """Golden: what becomes of the memory (uint8)."""
        starts, sizes = self.slices.starts(self.context), self.slices.sizes()
        for kind, head, node in itertools.product(
            range(2), range(self.rows.shape[1]), range(self.nodes)
        ):
            start = (self.cache + head * self.head_stride) * self.word_bytes
            position = self.base + node
            row = self.rows[kind, head, node].view(np.uint8)
            for index, (word, size) in enumerate(zip(starts, sizes, strict=True)):
                part = row[index * self.word_bytes :][:size]
                first = start + (kind * self.row_words + word) * self.word_bytes + position * size
                memory[first : first + len(part)] = part
            scale = start + 2 * self.row_words * self.word_bytes + 4 * position + 2 * kind
            memory[scale : scale + 2] = self.scales[kind, head, node : node + 1].view(np.uint8)


class GranuleMemory:
    """Takes runs of granules; ``written`` comes ``latency`` cycles after the last."""

    def __init__(self, dut, memory, *, take=every_cycle, latency=5):
        self.dut, self.memory, self.take, self.latency = dut, memory, take, latency
        self.runs, self.passed = [], []
        self.running = True

    async def serve(self, ctx):
        dut, quiet = self.dut, 0
        size = dut.config.port_bytes
        place = left = 0
        for cycle in itertools.count():
            if not self.running:
                return
            ctx.set(dut.written, left == 0 and quiet >= self.latency)
            ctx.set(dut.o_command.ready, left == 0 and self.take())
            ctx.set(dut.o.ready, left != 0 and self.take())
            run, granule = dut.o_command, dut.o
            sampled = (run.valid, run.ready, run.payload, granule.valid, granule.ready)
            *_, asked, told, command, offered, taken, piece = await ctx.tick().sample(
                *sampled, granule.payload
            )
            quiet += 1
            assert offered or not left or not (asked and told)
            if asked and told:
                assert command.granules > 0
                place, left = command.granule, command.granules
                self.runs.append((cycle, place, left))
                quiet = 0
            if offered and taken:
                for byte in range(size):
                    if piece.strobe >> byte & 1:
                        self.memory[place * size + byte] = piece.data >> 8 * byte & 255
                self.passed.append(cycle)
                place, left, quiet = place + 1, left - 1, 0


@pytest.fixture
def shape_of():
    return shape


@pytest.fixture
def random_heads():
    return Heads.random


@pytest.fixture
def granule_memory():
    return GranuleMemory


@pytest.fixture(scope="module", autouse=True)
def _garbage_at_collisions(colliding_memories):
    """No answer depends on a memory that is read and written at one address in a cycle."""
