"""The cache's and the results' writers on one striped writer, against bus models of others."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from tercel_hw.cache import CacheWriter
from tercel_hw.head import ResultConfig, ResultWriter
from tercel_hw.head.line_run import RUN
from tercel_hw.memory import Axi4Signature, StripedWriter, WriteMerge
from tercel_hw.vector import command_layout

BENCH = Path(__file__).parent / "benches" / "writers_bench.py"
LINES, SPACING = (7, 1, 12), 20
"""Result lines of each run; words from run to run."""


class Writers(wiring.Component):
    def __init__(self, config, results):
        self.config, self.results = config, results
        writer = config.writer
        super().__init__(
            {
                "i_command": In(stream.Signature(command_layout("heads"))),
                "i": In(stream.Signature(config.vector.column)),
                "i_scales": In(stream.Signature(config.scales)),
                "i_run": In(stream.Signature(RUN)),
                "i_line": In(stream.Signature(results.line)),
                "o_done": Out(stream.Signature(0)),
                "axi": Out(Axi4Signature(writer.writer.burst.axi, read=False)).array(writer.ports),
                "base": In(writer.base),
                "errors": Out(2 * writer.ports),
                "clear": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.cache = cache = CacheWriter(self.config)
        m.submodules.results = results = ResultWriter(self.results)
        m.submodules.merge = merge = WriteMerge(config=self.config.writer)
        m.submodules.writer = writer = StripedWriter(config=self.config.writer)
        for name in ("i_command", "i", "i_scales", "o_done"):
            connect(m, flipped(getattr(self, name)), getattr(cache, name))
        for inside, outside in ((results.i_run, self.i_run), (results.i_line, self.i_line)):
            connect(m, inside, flipped(outside))
        for index, asker in enumerate((cache, results)):
            connect(m, asker.o_command, merge.i_command[index])
            connect(m, asker.o, merge.i[index])
        connect(m, merge.o_command, writer.i_command)
        connect(m, merge.o, writer.i)
        for inside, outside in zip(writer.axi, self.axi, strict=True):
            connect(m, inside, flipped(outside))
        m.d.comb += [
            writer.base.eq(self.base),
            writer.clear.eq(self.clear),
            self.errors.eq(writer.errors),
            cache.written.eq(~merge.busy & ~writer.busy),
        ]
        return m


def packed(layout, payloads):
    return [layout.const(payload).as_value().value for payload in payloads]


@pytest.fixture
def config(shape_of):
    """Lines of results are one and a half granules; their runs have longer counts."""
    config = shape_of(nodes=3, ports=2, port_bytes=8, head_size=48)
    writer = config.writer.writer
    writer = replace(writer, burst=replace(writer.burst, count_width=24))
    return replace(config, writer=replace(config.writer, writer=writer))


def test_writers_share_paused_memories(bench, config, random_heads, tmp_path):
    results, word = ResultConfig(nodes=3, writer=config.writer), config.vector.word_bytes
    rng = np.random.default_rng(5)
    cases = ((48, 2, 3, 0), (16, 1, 2, 3), (32, 2, 1, 5))
    commands = [
        random_heads(rng, config, size=size, kv_heads=heads, nodes=nodes, base=base, context=9)
        for size, heads, nodes, base in cases
    ]
    first = -(-max(heads.memory_bytes() for heads in commands) // word)
    lines = rng.integers(0, 1 << 32, (sum(LINES), 3), np.uint32)
    before = rng.integers(0, 256, (first + SPACING * len(LINES)) * word).astype(np.uint8)
    after = before.copy()
    for heads in commands:
        heads.write(after)
    runs, rest = [], lines
    for index, count in enumerate(LINES):
        runs.append({"address": first + SPACING * index, "lines": count})
        padded = np.pad(rest[:count], ((0, 0), (0, 1))).tobytes()
        start = runs[-1]["address"] * word
        after[start : start + len(padded)] = np.frombuffer(padded, np.uint8)
        rest = rest[count:]
    streams = {
        "i_command": packed(command_layout("heads"), [heads.command for heads in commands]),
        "i": packed(config.vector.column, [each for heads in commands for each in heads.columns]),
        "i_scales": packed(config.scales, [row for heads in commands for row in heads.scale_rows]),
        "i_run": packed(RUN, runs),
        "i_line": packed(results.line, lines.tolist()),
    }
    job = tmp_path / "job.json"
    case = {"streams": streams, "before": before.tobytes().hex(), "after": after.tobytes().hex()}
    job.write_text(json.dumps(case))
    bench(Writers(config, results), BENCH, job=job)
