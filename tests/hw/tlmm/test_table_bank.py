# amaranth: UnusedElaboratable=no

import pytest

from tercel_hw.tlmm import TableBank
from tercel_hw.tlmm.config import TLMM
from tercel_sim.testbench import run


@pytest.mark.parametrize("part", [0, 1])
def test_writes_of_all_generators_and_both_banks_are_found(part):
    config = TLMM["tiny"]
    dut = TableBank(config=config, part=part)
    numbers = range(1, config.sums[part] + 1)

    def stored(table, bank, index):
        return [(-1) ** node * (100 * bank + 20 * table + index) for node in range(config.nodes)]

    async def look_up(ctx, bank, index):
        ctx.set(dut.indices, [index] * config.tables)
        ctx.set(dut.banks, bank * (2**config.tables - 1))
        await ctx.tick()
        return [list(sums) for sums in ctx.get(dut.sums)]

    async def bench(ctx):
        for bank in (0, 1):
            for slot in range(config.tables // config.generators):
                for index in numbers:
                    for g in range(config.generators):
                        table = slot * config.generators + g
                        sums = stored(table, bank, index)
                        ctx.set(dut.entries[g], {"valid": 1, "index": index, "sums": sums})
                        ctx.set(dut.places[g], {"slot": slot, "bank": bank, "last": 0})
                    await ctx.tick()
        for g in range(config.generators):
            ctx.set(dut.entries[g].valid, 0)
        for bank in (0, 1):
            zeros = [[0] * config.nodes] * config.tables
            assert await look_up(ctx, bank, 0) == zeros
            for index in numbers:
                expected = [stored(table, bank, index) for table in range(config.tables)]
                assert await look_up(ctx, bank, index) == expected

    run(dut, bench, max_cycles=400)


def test_an_entry_is_found_in_the_cycle_after_its_writing():
    config = TLMM["tiny"]
    dut = TableBank(config=config, part=0)

    async def bench(ctx):
        ctx.set(dut.entries[1], {"valid": 1, "index": 13, "sums": [-381, 381]})
        ctx.set(dut.places[1], {"slot": 1, "bank": 1, "last": 0})
        ctx.set(dut.banks, 1 << 3)
        await ctx.tick()
        ctx.set(dut.entries[1].valid, 0)
        ctx.set(dut.indices[3], 13)
        await ctx.tick().repeat(TableBank.LATENCY)
        assert list(ctx.get(dut.sums[3])) == [-381, 381]

    run(dut, bench, max_cycles=32)


def test_no_such_part():
    with pytest.raises(ValueError, match=r"^part must be in 0\.\.1, not 2$"):
        TableBank(config=TLMM["tiny"], part=2)
