import numpy as np
import pytest

from tercel_hw.dense import DenseConfig
from tercel_hw.head import HeadConfig, HeadUnitConfig
from tercel_hw.head.list_fetch import TILE_SLICES, ListFetch
from tercel_sim.testbench import get_all, put_all, run

ROWS = 300
SWEEPS = [(16, 1, 0x7000_0000), (1, 2, 5), (18, 20, 1234), (17, 16, 9)]
"""Listed rows, slices, address of the head."""


def shape(macs):
    dense = DenseConfig(nodes=2, macs=macs, chain=8, slices=40, rows=304)
    head = HeadConfig(nodes=2, rows=ROWS, ternary_rows=2, shortlist=32, sum_bits=dense.sum_bits)
    return HeadUnitConfig(head=head, dense=dense)


def draw(count, seed):
    rows = np.random.default_rng(seed).permutation(ROWS)[:count].tolist()
    return [{"row": row, "lanes": 1, "last": row == rows[-1]} for row in rows]


def addresses(config, rows, slices, address):
    """Addresses of the words of a group."""
    blocks = [address + row // 16 * (config.scale_words + 16 * slices) for row in rows]
    places = [row % 16 for row in rows]
    found = []
    for first in range(0, slices, TILE_SLICES):
        for block, place in zip(blocks, places, strict=True):
            found += [block + place // config.word_scales] * (first == 0)
            for slice_ in range(first, min(slices, first + TILE_SLICES)):
                found.append(block + config.scale_words + 16 * slice_ + place)
    return found


@pytest.mark.parametrize("macs", [16, 64])
def test_the_words_of_each_group_are_requested(macs, idle, back_pressure):
    dut = ListFetch(config := shape(macs))
    lists = [draw(count, seed) for seed, (count, _, _) in enumerate(SWEEPS)]
    groups, words, runs = [], [], []
    for entries, (count, slices, address) in zip(lists, SWEEPS, strict=True):
        for first in range(0, count, 16):
            rows = [entry["row"] for entry in entries[first : first + 16]]
            groups.append((len(rows), first + 16 >= count))
            words.append(len(rows) * (slices + 1))
            runs += addresses(config, rows, slices, address)

    async def control(ctx):
        commands = [{"address": address, "slices": slices} for _, slices, address in SWEEPS]
        await put_all(ctx, dut.i_command, commands)

    async def source(ctx):
        await put_all(ctx, dut.i, [entry for entries in lists for entry in entries], idle)

    async def announced(ctx):
        taken = await get_all(ctx, dut.o_group, len(groups), back_pressure)
        return [(group.rows, group.last) for group in taken]

    async def read(ctx):
        taken = await get_all(ctx, dut.o_read, len(groups), back_pressure)
        return [(group.rows, group.last) for group in taken]

    async def counted(ctx):
        return await get_all(ctx, dut.o_words, len(words), back_pressure)

    async def asked(ctx):
        return await get_all(ctx, dut.o_run, len(runs), back_pressure)

    results = run(dut, control, source, announced, read, counted, asked, max_cycles=9000)
    assert results[2:] == [groups, groups, words, runs]


def test_a_run_a_cycle_while_the_next_group_is_gathered():
    dut = ListFetch(shape(16))
    entries = draw(48, 7)

    async def source(ctx):
        await put_all(ctx, dut.i_command, [{"address": 0, "slices": 2}])
        ctx.set(dut.i.valid, 1)
        taken, cycle = [], 0
        for entry in entries:
            ctx.set(dut.i.payload, entry)
            ready = False
            while not ready:
                _, _, ready = await ctx.tick().sample(dut.i.ready)
                taken.append(cycle) if ready else None
                cycle += 1
        return taken

    async def sink(ctx):
        for port in (dut.o_group, dut.o_read, dut.o_words, dut.o_run):
            ctx.set(port.ready, 1)
        await ctx.tick().until(dut.i_command.valid)
        offered, cycle = [], 0
        while len(offered) < 48 * 3:
            _, _, valid = await ctx.tick().sample(dut.o_run.valid)
            offered += [cycle] * valid
            cycle += 1
        return offered

    taken, offered = run(dut, source, sink, max_cycles=600)
    assert taken[:32] == list(range(taken[0], taken[0] + 3 * 32, 3))
    first = taken[15] + dut.LATENCY
    assert offered[:48] == list(range(first, first + 48))
    assert offered[48] == offered[47] + dut.BETWEEN
