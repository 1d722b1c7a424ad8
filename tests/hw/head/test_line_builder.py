import pytest
from amaranth.back import rtlil

from tercel_hw.head import HeadConfig
from tercel_hw.head.line_builder import LineBuilder
from tercel_sim.testbench import run

CONFIG = HeadConfig(nodes=3, rows=64)


def words(lines, lanes):
    return [
        {"value": 10 * line + lane, "lane": lane, "last": lane == lanes - 1}
        for line in range(lines)
        for lane in range(lanes)
    ]


@pytest.mark.parametrize("lanes", [1, 2, 3])
def test_words_become_lines(lanes, idle, back_pressure, through):
    lines = through(LineBuilder(CONFIG), words(30, lanes), 30, idle, back_pressure)
    expected = [[10 * line + lane for lane in range(lanes)] for line in range(30)]
    assert [list(line)[:lanes] for line in lines] == expected


@pytest.mark.parametrize(("lanes", "cycles"), [(1, [0, 1, 3, 4, 6, 7]), (3, list(range(18)))])
def test_throughput_and_latency(lanes, cycles):
    dut = LineBuilder(CONFIG)

    async def bench(ctx):
        ctx.set(dut.o.ready, 1)
        ctx.set(dut.i.valid, 1)
        taken, offered, cycle = [], [], 0
        left = words(6, lanes)
        while cycle < 30:
            ctx.set(dut.i.valid, bool(left))
            if left:
                ctx.set(dut.i.payload, left[0])
            _, _, ready, valid = await ctx.tick().sample(dut.i.ready, dut.o.valid)
            offered += [cycle] * valid
            if ready and left:
                taken.append(cycle)
                left.pop(0)
            cycle += 1
        return taken, offered

    ((taken, offered),) = run(dut, bench, max_cycles=100)
    assert taken == cycles
    assert offered == [cycle + dut.LATENCY for cycle in taken[lanes - 1 :: lanes]]


def test_the_kv260_shape_converts():
    assert "module" in rtlil.convert(LineBuilder(HeadConfig()))
