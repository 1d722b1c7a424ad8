import numpy as np

from tercel.numerics import multiply, relu2, silu
from tercel_hw.vector.gated_activation import GatedActivation
from tercel_sim.testbench import run


def test_both_activations_in_any_order():
    rng, count = np.random.default_rng(1), 200
    gate, up = rng.normal(0, 8, (2, count)).astype(np.float32)
    squared = rng.integers(0, 2, count)
    expected = multiply(np.where(squared, relu2(gate), silu(gate)), up).view(np.uint32).tolist()
    dut = GatedActivation()

    async def bench(ctx):
        ctx.set(dut.enable, 1)
        results = []
        for cycle in range(count + dut.LATENCY):
            if cycle < count:
                ctx.set(dut.squared, int(squared[cycle]))
                ctx.set(dut.gate, int(gate[cycle].view(np.uint32)))
                ctx.set(dut.up, int(up[cycle].view(np.uint32)))
            if cycle >= dut.LATENCY:
                results.append(ctx.get(dut.o))
            await ctx.tick()
        assert results == expected

    run(dut, bench, max_cycles=300)
