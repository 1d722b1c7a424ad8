from dataclasses import replace

import pytest

from tercel.errors import TercelError
from tercel.image import LAYOUTS
from tercel_hw.registers import accelerator_registers
from tercel_hw.tlmm.config import TlmmConfig
from tercel_hw.top import ACCELERATORS

TINY = ACCELERATORS["tiny"]
WIDEST = TlmmConfig(max_columns=65535)


@pytest.mark.parametrize("name", ACCELERATORS)
def test_the_driver_is_told_what_was_built(name):
    config = ACCELERATORS[name]
    spec = config.spec
    assert spec.layout == config.layout
    assert spec.caps & 0xFF == config.nodes
    assert (spec.hidden, spec.positions) == (config.hidden, config.positions)
    assert spec.sweeps == config.heads
    assert spec.slices == config.dense.slices


def test_parts_of_version_3_are_in_spec_and_registers():
    groups = ACCELERATORS["kv260-groups"]
    assert (groups.spec.groups, groups.spec.qk_norm, groups.grouped) == (3, True, True)
    assert groups.layout == LAYOUTS["kv260-groups"]
    assert groups.gearbox.max_bytes == 82
    assert groups.vector.sum_bits == groups.tlmm.sum_bits == 40
    for name in ("caps", "shape"):
        register = next(
            each for each in accelerator_registers(groups.control).registers if each.name == name
        )
        assert register.constant == getattr(groups.spec, name)
    assert groups.spec.shape >> 8 & 15 == 10
    assert (groups.spec.shortlist, groups.head.shortlist, groups.routed.runs) == (1024, 1024, 20)
    plain = TINY.spec.groups, TINY.spec.qk_norm, TINY.head.ternary_rows
    assert plain == (0, False, 0)


def test_row_scales_come_as_words_however_short_the_row_chunks():
    """A group takes 28 bytes, a word of scales 64."""
    one = TlmmConfig(tables=26, groups=1, max_columns=1024)
    config = replace(ACCELERATORS["kv260-groups"], tlmm=one, hidden=512, heads=8)
    assert (config.tlmm.chunk_bytes, config.gearbox.max_bytes) == (28, 64)


@pytest.mark.parametrize("ultra_ram", [True, False])
def test_the_kinds_of_large_memories(ultra_ram):
    config = replace(ACCELERATORS["kv260"], ultra_ram=ultra_ram)
    kind = "ultra" if ultra_ram else "block"
    assert (config.vector.ram_style, config.attention.ram_style) == (kind, kind)
    assert config.spec == ACCELERATORS["kv260"].spec


@pytest.mark.parametrize("rows", [50, 255, 1023, 65529, 131065])
def test_the_engine_is_told_of_whole_blocks(rows):
    """The rows of its command include those that fill the last block."""
    command = replace(TINY, rows=rows).dense.command
    assert command.members["rows"].stop - 1 == -(-rows // 16) * 16


@pytest.mark.parametrize(
    ("change", "bits"),
    [
        ({}, 24),
        ({"rows": 1 << 19, "hidden": 1024, "tlmm": replace(TINY.tlmm, max_columns=1024)}, 26),
        ({"hidden": 65535, "tlmm": WIDEST, "ports": 4, "port_bytes": 16}, 25),
    ],
)
def test_runs_of_the_tape_are_counted_whole(change, bits):
    """A head of 2^19 rows of 64 words has 34 million words; 24 bits would lose the highest."""
    config = replace(TINY, **change)
    assert config.routed.striped.reader.burst.count_width == bits
    assert config.longest_run < 1 << bits


@pytest.mark.parametrize(
    ("read_bursts", "outstanding", "cycles"),
    [(4, 8, 187), (4, 4, 187), (4, 3, 126), (8, 8, 443), (8, 16, 443), (16, 8, 446), (16, 16, 955)],
)
def test_the_latency_that_readers_cover_is_an_option(read_bursts, outstanding, cycles):
    base = ACCELERATORS["kv260"]
    config = replace(base, read_bursts=read_bursts, outstanding_reads=outstanding)
    assert config.routed.striped.reader.full_rate_latency == cycles
    assert config.routed.runs >= 2 * read_bursts
    assert (config.spec, config.writer.writer) == (base.spec, base.writer.writer)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"qk_norm": 1}, TypeError, "qk_norm must be true or false, not 1"),
        ({"shortlist": 32}, ValueError, "groups of tlmm must not be 0 with a shortlist"),
        ({"shortlist": 16}, ValueError, r"shortlist must be a power of two in 32\.\.4096, not 16"),
        (
            {"tlmm": TlmmConfig(tables=78, groups=3)},
            ValueError,
            r"max_bytes must be an integer in 1\.\.32, not 82",
        ),
        ({"tlmm": "tiny"}, TypeError, "tlmm must be a TlmmConfig, not 'tiny'"),
        ({"port_bytes": 4}, ValueError, r"port_bytes must be a power of two in 8\.\.16, not 4"),
        ({"ports": 16}, ValueError, "bytes of a word must be a power of two"),
        ({"heads": 6}, ValueError, r"heads \* head_size must not exceed max_columns \(256\)"),
        ({"tape_words": 31}, ValueError, r"tape_words must be an integer in 32\.\..*, not 31"),
        ({"read_bursts": 1}, ValueError, r"read_bursts must be an integer in 2\.\.64, not 1"),
        ({"outstanding_reads": 65}, ValueError, r"outstanding_reads must be an .* 2\.\.64, not 65"),
        ({"top_k": 1}, ValueError, r"top_k must be an integer in 2\.\.64, not 1"),
        (
            {"head_size": 256, "heads": 1, "port_bytes": 8},
            TercelError,
            "at most 15 whole words, but 256 bytes are 16 of 16; take wider words",
        ),
        ({"tlmm": TlmmConfig(nodes=17)}, TercelError, "nodes must be an integer in"),
    ],
)
def test_errors(change, error, message):
    with pytest.raises(error, match=message):
        replace(TINY, **change)
