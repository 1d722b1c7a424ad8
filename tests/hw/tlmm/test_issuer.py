# amaranth: UnusedElaboratable=no

import pytest

from tercel_hw.tlmm import RowIssuer
from tercel_hw.tlmm.config import TLMM
from tercel_sim.testbench import put_all, run

TINY = TLMM["tiny"]


def issue(rows, chunks, cycles, *, credits=64, returned=frozenset(), full=3, valid=1):
    """Tags ``(cycle, row, first, final, last)`` of one matrix, and the banks' releases."""
    dut = RowIssuer(config=TINY, credits=credits)
    tags, releases = [], []

    async def give(ctx):
        await put_all(ctx, dut.i_command, [{"rows": rows, "chunks": chunks, "codes": 3}])

    async def watch(ctx):
        ctx.set(dut.full, full)
        ctx.set(dut.valid, valid)
        for cycle in range(cycles):
            ctx.set(dut.returned, cycle in returned)
            _, _, tag, released = await ctx.tick().sample(dut.tag, dut.released)
            if tag.valid:
                tags.append((cycle, tag.row, tag.first, tag.final, tag.last))
                assert ctx.get(dut.active) == 0b111
            if released:
                releases.append((cycle, released))

    run(dut, give, watch, max_cycles=cycles + 32)
    return tags, releases


def test_blocks_of_chunks_of_rows_one_a_cycle():
    tags, releases = issue(11, 2, 30)
    order = [(row, c, block) for block in (0, 1) for c in (0, 1) for row in range((8, 3)[block])]
    expected = [
        (2 + i, row, c == 0, c == 1, (row, block) == (2, 1))
        for i, (row, c, block) in enumerate(order)
    ]
    assert tags == expected
    assert releases == [(9, 1), (17, 2), (20, 1), (23, 2)]


@pytest.mark.parametrize("rows", [7, 8, 9, 16, 17, 24])
def test_the_last_block_ends_with_the_rows(rows):
    tags, _ = issue(rows, 2, 2 * rows + 20)
    assert [tag[1:] for tag in tags] == [
        (row, chunk == 0, chunk == 1, start + row == rows - 1)
        for start in range(0, rows, 8)
        for chunk in (0, 1)
        for row in range(min(8, rows - start))
    ]


@pytest.mark.parametrize(("rows", "starts"), [(1, [2, 5, 8]), (2, [2, 5, 8]), (3, [2, 5, 8])])
def test_the_chunks_of_few_rows_are_three_cycles_apart(rows, starts):
    tags, _ = issue(rows, 3, 20)
    assert [cycle for cycle, row, *_ in tags if row == 0] == starts
    assert len(tags) == 3 * rows


def test_final_row_chunks_wait_for_room():
    tags, _ = issue(4, 2, 30, credits=2, returned={12, 20})
    assert [cycle for cycle, *_ in tags] == [2, 3, 4, 5, 6, 7, 13, 21]


def test_nothing_goes_without_tables_or_codes():
    assert issue(4, 2, 10, full=2) == ([], [])
    assert issue(4, 2, 10, valid=0) == ([], [])


def test_credits_must_be_positive():
    with pytest.raises(ValueError, match=r"^credits must be positive, not 0$"):
        RowIssuer(config=TINY, credits=0)
