import pytest

from tercel_hw.tlmm import TableFiller
from tercel_hw.tlmm.config import TLMM
from tercel_sim.testbench import put_all, run

TINY = TLMM["tiny"]


def fill(rows, chunks, codes, cycles, full=lambda cycle: 0):
    """Cycles of the transfers, ``(cycle, bank)`` filled, writes ``(cycle, bank, table)``."""
    dut = TableFiller(config=TINY)
    group = [[1] * TINY.nodes] * TINY.weight_code.group
    taken, filled, writes = [], [], []

    async def give_command(ctx):
        await put_all(ctx, dut.i_command, [{"rows": rows, "chunks": chunks, "codes": codes}])

    async def watch(ctx):
        ctx.set(dut.i_groups.payload, group)
        ctx.set(dut.i_groups.valid, 1)
        for cycle in range(cycles):
            ctx.set(dut.full, full(cycle))
            _, _, ready, banks, entries, places = await ctx.tick().sample(
                dut.i_groups.ready, dut.filled, dut.entries, dut.places
            )
            if ready:
                taken.append(cycle)
            filled.extend((cycle, bank) for bank in (0, 1) if banks >> bank & 1)
            for generator, place in enumerate(places):
                if entries["0"][generator].valid:
                    table = place.slot * TINY.generators + generator
                    writes.append((cycle, place.bank, table))

    run(dut, give_command, watch, max_cycles=cycles + 32)
    return taken, filled, writes


def test_groups_are_dealt_round_robin_from_each_chunk_on():
    # Two blocks of two chunks of three codes, two generators: two rounds a chunk.
    taken, filled, writes = fill(rows=11, chunks=2, codes=3, cycles=130)
    starts = [1, 27, 53, 79]
    assert taken == [start + offset for start in starts for offset in (0, 1, 13)]
    # The first use follows the last entry's decision by a cycle: `fill_cycles`.
    expected = [(start + TINY.fill_cycles(3) - 1, chunk % 2) for chunk, start in enumerate(starts)]
    assert filled == expected
    places = [(bank, table) for bank in (0, 1) for table in range(3)] * 2
    for transfer, (bank, table) in zip(taken, places, strict=True):
        cycles = range(transfer + 2, transfer + 2 + TINY.entries)
        assert {(cycle, bank, table) for cycle in cycles} <= set(writes)
    assert len(writes) == len(taken) * TINY.entries


@pytest.mark.parametrize(("rows", "blocks"), [(1, 1), (8, 1), (9, 2), (16, 2), (17, 3)])
def test_every_block_takes_its_groups(rows, blocks):
    taken, _, _ = fill(rows=rows, chunks=1, codes=1, cycles=90)
    assert len(taken) == blocks


def test_a_full_bank_waits():
    # The bank of the first chunk is free at once, that of the second from cycle 60 on.
    taken, _, _ = fill(rows=1, chunks=2, codes=1, cycles=90, full=lambda cycle: 2 * (cycle < 60))
    assert taken == [1, 60]
