# amaranth: UnusedElaboratable=no

import numpy as np
import pytest

from tercel_hw.tlmm import GroupTree
from tercel_hw.tlmm.config import TlmmConfig
from tercel_sim.testbench import run

CONFIG = TlmmConfig(tables=52, groups=2, nodes=2, max_columns=16384)


def test_totals_of_random_and_extreme_terms():
    dut = GroupTree(config=CONFIG)
    generator = np.random.default_rng(1)
    peaks = np.array(CONFIG.peaks)[:, None]
    halved = np.array(CONFIG.halved * CONFIG.tables)
    sets = []
    for extreme in (None, None, 1, -1):
        terms = generator.integers(-peaks, peaks + 1, (len(peaks), 2))
        negative = generator.integers(0, 2, len(peaks)) * halved
        powers = 1 << generator.integers(0, 8, (4, 2))
        multipliers = generator.integers(0, 2045, 2)
        if extreme:
            terms[:], negative[:] = extreme * peaks, 0
            powers[:], multipliers[:] = 128, 2044
        signed = terms * np.where(negative, -1, 1)[:, None]
        blocks = signed.reshape(4, -1, 2).sum(axis=1) * powers
        total = (blocks.reshape(2, 2, 2).sum(axis=1) * multipliers[:, None]).sum(axis=0)
        sets.append((terms, negative, powers, multipliers, total.tolist()))

    async def bench(ctx):
        totals = []
        for cycle in range(len(sets) + CONFIG.term_latency):
            at = [cycle, cycle - CONFIG.block_latency, cycle - CONFIG.group_latency]
            if 0 <= at[0] < len(sets):
                ctx.set(dut.terms, sets[at[0]][0].tolist())
                bits = sum(int(bit) << i for i, bit in enumerate(sets[at[0]][1]))
                ctx.set(dut.negative, bits)
            if 0 <= at[1] < len(sets):
                ctx.set(dut.powers, sets[at[1]][2].tolist())
            if 0 <= at[2] < len(sets):
                ctx.set(dut.multipliers, sets[at[2]][3].tolist())
            if cycle >= CONFIG.term_latency:
                totals.append(list(ctx.get(dut.total)))
            await ctx.tick()
        assert totals == [total for *_, total in sets]

    run(dut, bench, max_cycles=64)


@pytest.mark.slow
def test_both_forms_are_one(check_forms):
    config = TlmmConfig(tables=26, groups=1, nodes=1)
    check_forms(lambda: GroupTree(config=config), start_up=20, cycles=300, enables=())
