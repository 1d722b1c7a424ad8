# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from amaranth.back import rtlil

from tercel import numerics
from tercel_hw.float32 import Adder, Bfloat16Up, Multiplier, StreamPipeline
from tercel_sim.testbench import every_cycle, get_all, put_all, random_gaps, run

PATTERNS = {
    "every cycle": lambda: every_cycle,
    "half": lambda: random_gaps(1),
    "seldom": lambda: random_gaps(2, 0.15),
}
COUNT = 60


def terms(floats):
    a, b = floats.random(1, COUNT), floats.random(2, COUNT)
    expected = numerics.add(a, b).view(np.uint32).tolist()
    bits = zip(a.view(np.uint32).tolist(), b.view(np.uint32).tolist(), strict=True)
    return [{"a": a, "b": b, "tag": i % 16} for i, (a, b) in enumerate(bits)], expected


@pytest.mark.parametrize("idle", PATTERNS)
@pytest.mark.parametrize("back_pressure", PATTERNS)
def test_results_and_tags_come_in_order(floats, idle, back_pressure):
    dut = StreamPipeline(Adder(), tag_bits=4)
    operands, expected = terms(floats)

    async def source(ctx):
        await put_all(ctx, dut.i, operands, PATTERNS[idle]())

    async def sink(ctx):
        return await get_all(ctx, dut.o, COUNT, PATTERNS[back_pressure]())

    results = run(dut, source, sink, max_cycles=1500)[1]
    assert [result.value for result in results] == expected
    assert [result.tag for result in results] == [i % 16 for i in range(COUNT)]


def test_full_throughput_after_the_latency(floats):
    dut = StreamPipeline(Multiplier())
    x = floats.random(1, COUNT, (100, 150))
    expected = numerics.multiply(x, x).view(np.uint32).tolist()

    async def bench(ctx):
        ctx.set(dut.o.ready, 1)
        ctx.set(dut.i.valid, 1)
        offered = []
        for cycle in range(dut.latency + COUNT):
            bits = int(x[min(cycle, COUNT - 1)].view(np.uint32))
            ctx.set(dut.i.payload, {"a": bits, "b": bits})
            assert ctx.get(dut.i.ready)
            offered.append(ctx.get(dut.o.payload.value) if ctx.get(dut.o.valid) else None)
            await ctx.tick()
        return offered

    offered = run(dut, bench, max_cycles=200)[0]
    assert dut.latency == 8
    assert offered == [None] * dut.latency + expected


def test_it_takes_what_its_queue_has_room_for_while_nothing_is_taken():
    dut = StreamPipeline(Bfloat16Up())

    async def bench(ctx):
        ctx.set(dut.i.valid, 1)
        taken = []
        for cycle in range(20):
            ctx.set(dut.i.payload, {"x": (127 + cycle) << 23})
            taken += [cycle] * ctx.get(dut.i.ready)
            await ctx.tick()
        assert taken == list(range(dut.latency + 1))
        ctx.set(dut.i.valid, 0)
        results = await get_all(ctx, dut.o, len(taken))
        assert [result.value for result in results] == [(127 + cycle) << 7 for cycle in taken]

    run(dut, bench, max_cycles=60)


def test_it_becomes_rtl():
    assert "module \\top" in rtlil.convert(StreamPipeline(Adder(), tag_bits=3))
    assert "module \\top" in rtlil.convert(StreamPipeline(Adder()))


def test_the_constructor_checks_its_arguments():
    with pytest.raises(TypeError, match="primitive must be a Primitive, not 'adder'"):
        StreamPipeline("adder")
    with pytest.raises(TypeError, match=r"tag_bits must be an integer, not 1\.5"):
        StreamPipeline(Adder(), tag_bits=1.5)
    with pytest.raises(ValueError, match="tag_bits must not be negative, but is -1"):
        StreamPipeline(Adder(), tag_bits=-1)
