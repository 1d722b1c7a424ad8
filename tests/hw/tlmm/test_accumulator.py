import random

import pytest

from tercel_hw.tlmm import Accumulator
from tercel_hw.tlmm.config import TLMM, TlmmConfig
from tercel_sim.testbench import run

GROUPED = TlmmConfig(tables=26, groups=1, nodes=1, block_rows=8, max_columns=16384)


@pytest.mark.parametrize(("config", "seed"), [(TLMM["tiny"], 1), (TLMM["tiny"], 2), (GROUPED, 3)])
def test_sums_of_rows_at_least_three_cycles_apart(config, seed):
    dut = Accumulator(config=config)
    choose = random.Random(seed)
    peak = 128 * (127 << 7) * 2044 if config.groups else sum(config.peaks)
    events, expected = [], []
    sums = [None] * config.block_rows
    recent = [None] * (Accumulator.SAME_ROW - 1)
    for cycle in range(300):
        row = choose.choice([row for row in range(config.block_rows) if row not in recent])
        valid = choose.random() < 0.8
        first = sums[row] is None
        final, last = (choose.random() < 0.4 for _ in range(2))
        total = [choose.choice((-peak, peak, 7)) for _ in range(config.nodes)]
        tag = {"valid": valid, "row": row, "first": first, "final": final, "last": last}
        events.append((tag, total))
        recent = [*recent[1:], row if valid else None]
        if valid:
            before = [0] * config.nodes if first else sums[row]
            sums[row] = [a + b for a, b in zip(before, total, strict=True)]
            if final:
                expected.append((cycle + Accumulator.LATENCY, sums[row], last))
                sums[row] = None

    async def bench(ctx):
        results = []
        for cycle in range(len(events) + Accumulator.LATENCY):
            if cycle < len(events):
                tag, total = events[cycle]
                ctx.set(dut.tag, tag)
                ctx.set(dut.total, total)
            else:
                ctx.set(dut.tag.valid, 0)
            if ctx.get(dut.valid):
                result = ctx.get(dut.sums)
                results.append((cycle, list(result.sums), bool(result.last)))
            await ctx.tick()
        assert results == expected

    run(dut, bench, max_cycles=400)
