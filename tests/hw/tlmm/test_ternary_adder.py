# amaranth: UnusedElaboratable=no
import random

import pytest
from side_by_side import SideBySide

from tercel_hw.tlmm.ternary_adder import TernaryAdder
from tercel_sim.testbench import run


@pytest.mark.parametrize("width", [1, 2, 8, 9, 20])
def test_three_numbers_add_up(clocked, width):
    dut = TernaryAdder(width=width)
    choose = random.Random(width)
    low, high = -1 << width - 1, (1 << width - 1) - 1
    sums = [[choose.randint(low // 3, high // 3) for _ in range(3)] for _ in range(50)]
    sums += [[low, 0, 0], [0, high, 0], [low, high, 0], [high, low, high], [-1, -1, low + 2]]

    async def bench(ctx):
        for operands in (found for found in sums if low <= sum(found) <= high):
            for port, value in zip((dut.a, dut.b, dut.c), operands, strict=True):
                ctx.set(port, value)
            await ctx.delay(1e-9)
            assert ctx.get(dut.o) == sum(operands)

    run(clocked(dut), bench, max_cycles=8)


def test_both_forms_are_one(check_forms):
    def adders():
        return SideBySide({f"w{width}": TernaryAdder(width=width) for width in (1, 8, 13, 17)})

    check_forms(adders, start_up=0, enables=())


def test_a_width_is_positive():
    with pytest.raises(ValueError, match=r"^width must be positive, not 0$"):
        TernaryAdder(width=0)
