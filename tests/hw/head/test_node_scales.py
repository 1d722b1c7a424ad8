import numpy as np
import pytest

from tercel.numerics.float32 import multiply
from tercel.numerics.functions import LOG2_E
from tercel_hw.head import HeadConfig
from tercel_hw.head.node_scales import NodeScales
from tercel_sim.testbench import run


@pytest.mark.parametrize("nodes", [1, 3, 8])
def test_scales_and_their_base_2_form(nodes, bits):
    dut = NodeScales(HeadConfig(nodes=nodes))
    walks = np.random.default_rng(1).random((3, nodes)).astype(np.float32)
    walks[1, 0] = 0

    async def bench(ctx):
        ctx.set(dut.i.valid, 1)
        for scales in walks:
            ctx.set(dut.i.payload, bits(scales).tolist())
            assert ctx.get(dut.i.ready)
            for _ in range(dut.latency):
                assert not ctx.get(dut.valid)
                await ctx.tick()
                assert not ctx.get(dut.i.ready)
            for release in 0, 1:
                ctx.set(dut.release, release)
                assert ctx.get(dut.valid)
                assert list(ctx.get(dut.scales)) == bits(scales).tolist()
                assert list(ctx.get(dut.base2)) == bits(multiply(scales, LOG2_E)).tolist()
                await ctx.tick()
            ctx.set(dut.release, 0)

    run(dut, bench, max_cycles=200)
