import random

import pytest

from tercel_hw.tlmm import MultiplierDecoder
from tercel_hw.tlmm.config import TlmmConfig
from tercel_sim.testbench import run

CONFIG = TlmmConfig(tables=78, groups=3)


def decode(inputs, config=CONFIG):
    """Multipliers and corruption of ``(row-chunk, groups, grouped)``, one a cycle."""
    dut = MultiplierDecoder(config=config)
    found, corrupt = [], []

    async def bench(ctx):
        for cycle in range(len(inputs) + dut.LATENCY):
            if cycle >= dut.LATENCY:
                found.append(list(ctx.get(dut.multipliers)))
            if 1 <= cycle <= len(inputs):
                corrupt.append(ctx.get(dut.corrupt))
            if cycle < len(inputs):
                row_chunk, groups, grouped = inputs[cycle]
                ctx.set(dut.codes, row_chunk)
                ctx.set(dut.active, (1 << groups) - 1)
                ctx.set(dut.grouped, grouped)
            await ctx.tick()

    run(dut, bench, max_cycles=2000)
    return found, corrupt


def row_chunk(codes, noise, above=0):
    """A row-chunk with these multipliers; the other bytes are random."""
    content = [noise.randrange(256) for _ in range(CONFIG.chunk_bytes)]
    number = sum(code << 10 * place for place, code in enumerate(codes))
    number += above << 10 * len(codes)
    size = -(-10 * len(codes) // 8)
    content[26 * len(codes) : 26 * len(codes) + size] = number.to_bytes(size, "little")
    return content


def test_every_multiplier_at_every_place():
    noise = random.Random(1)
    codes = [[code, (code * 7 + 3) % 1024, 1023 - code][: 1 + code % 3] for code in range(1024)]
    found, corrupt = decode([(row_chunk(group, noise), len(group), 1) for group in codes])
    assert not any(corrupt)
    for multipliers, group in zip(found, codes, strict=True):
        expected = [code if code < 256 else (256 + code % 256) << (code >> 8) - 1 for code in group]
        assert multipliers[: len(group)] == expected
    assert max(found[0] + found[-1]) <= 2044


@pytest.mark.parametrize(("groups", "bits"), [(1, 6), (2, 4), (3, 2)])
def test_bits_above_the_multipliers_are_zeros(groups, bits):
    noise = random.Random(2)
    chunks = [row_chunk([0] * groups, noise, above=1 << bit) for bit in range(bits)]
    assert decode([(chunk, groups, 1) for chunk in chunks])[1] == [1] * bits
    assert decode([(chunk, groups, 0) for chunk in chunks])[1] == [0] * bits


def test_a_matrix_without_groups_has_ones():
    noise = random.Random(3)
    found, _ = decode([(row_chunk([5, 6, 7], noise), groups, 0) for groups in (1, 2, 3)])
    assert found == [[1, 1, 1]] * 3
