from tercel_hw.tlmm import PowerBank
from tercel_hw.tlmm.config import TlmmConfig
from tercel_sim.testbench import run

CONFIG = TlmmConfig(tables=52, groups=2, nodes=2)


def test_shifts_are_powers_when_the_row_chunks_before_have_passed():
    dut = PowerBank(config=CONFIG)
    wait = dut.write_delay

    async def powers(ctx, bank):
        ctx.set(dut.bank, bank)
        await ctx.tick()
        return [list(block) for block in ctx.get(dut.o)]

    async def write(ctx, bank, block, shifts):
        ctx.set(dut.i, {"valid": 1, "bank": bank, "block": block, "shifts": shifts})
        await ctx.tick()
        ctx.set(dut.i, {"valid": 0, "bank": bank, "block": block, "shifts": [7, 7]})

    async def bench(ctx):
        for bank in (0, 1):
            for block in range(4):
                await write(ctx, bank, block, [block, 7 - block])
        await ctx.tick().repeat(wait)
        first = [[1 << block, 1 << 7 - block] for block in range(4)]
        assert await powers(ctx, 0) == first
        assert await powers(ctx, 1) == first
        await write(ctx, 1, 2, [0, 5])
        for _ in range(wait - 1):
            assert (await powers(ctx, 1)) == first
        assert await powers(ctx, 1) == [*first[:2], [1, 32], first[3]]
        assert await powers(ctx, 0) == first

    run(dut, bench, max_cycles=100)
