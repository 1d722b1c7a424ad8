import numpy as np
import pytest

from tercel_hw.tlmm.config import TLMM
from tercel_hw.tlmm.decoder import CodeDecoder, balanced_parts
from tercel_sim.testbench import run


@pytest.mark.parametrize("preset", ["kv260", "kv260-index5"])
def test_every_code(clocked, preset):
    config = TLMM[preset]
    dut = CodeDecoder(config=config)
    code = config.weight_code
    expected = balanced_parts(code, config.parts)

    async def bench(ctx):
        for number in range(1 << code.bits):
            ctx.set(dut.code, number)
            await ctx.delay(1e-9)
            assert ctx.get(dut.corrupt) == (number >= code.size)
            if number >= code.size:
                continue
            for part, lookup in enumerate(ctx.get(dut.lookups)):
                value = expected[number, part]
                if config.halved[part]:
                    assert lookup.index == abs(value)
                    assert value == 0 or lookup.negative == (value < 0)
                else:
                    assert lookup.index == value % 3 ** config.parts[part]

    run(clocked(dut), bench, max_cycles=32)


@pytest.mark.parametrize("preset", ["kv260", "kv260-index5"])
def test_the_parts_hold_every_trit(preset):
    config = TLMM[preset]
    code = config.weight_code
    assert sum(config.parts) == code.group
    values = balanced_parts(code, config.parts)
    assert len(np.unique(values, axis=0)) == code.size
    zeros = code.encode(np.zeros((1, code.group), np.int8)).item()
    assert not values[zeros].any()
