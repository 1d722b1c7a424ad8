# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from amaranth.back import rtlil

from tercel import numerics
from tercel_hw.float32 import Adder, FloatToFixed, Lanes, Multiplier, StreamPipeline
from tercel_sim.testbench import get_all, put_all, run


def test_each_lane_has_its_own_operands(floats):
    dut = StreamPipeline(Lanes([Multiplier() for _ in range(3)]))
    a, b = floats.random(1, 60).reshape(20, 3), floats.random(2, 60).reshape(20, 3)
    columns = zip(a.view(np.uint32).tolist(), b.view(np.uint32).tolist(), strict=True)
    operands = [{"a": a, "b": b} for a, b in columns]

    async def source(ctx):
        await put_all(ctx, dut.i, operands)

    async def sink(ctx):
        return await get_all(ctx, dut.o, len(operands))

    results = run(dut, source, sink, max_cycles=100)[1]
    expected = numerics.multiply(a, b).view(np.uint32).tolist()
    assert [list(result.value) for result in results] == expected


def test_latency_and_shapes_are_the_primitives():
    lanes = Lanes([Adder(), Adder()])
    assert (lanes.lanes, lanes.latency, list(lanes.operands)) == (2, Adder.LATENCY, ["a", "b"])
    assert "module \\top" in rtlil.convert(lanes)


def test_the_constructor_checks_the_primitives():
    with pytest.raises(ValueError, match="there must be at least one lane"):
        Lanes([])
    with pytest.raises(TypeError, match="every lane must be a Primitive, not 1"):
        Lanes([Adder(), 1])
    with pytest.raises(ValueError, match=r"all lanes must be alike, not .*Adder.* and "):
        Lanes([Adder(), Multiplier()])
    with pytest.raises(ValueError, match="all lanes must be alike"):
        Lanes([FloatToFixed(fraction_bits=9, width=width) for width in (18, 19)])
