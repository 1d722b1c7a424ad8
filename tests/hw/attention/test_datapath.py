"""One sweep; what comes of whole layers is tested with the unit."""

import numpy as np
import pytest
from amaranth.back import rtlil

from tercel_hw.attention import Attention
from tercel_hw.attention.datapath import BEAT_LATENCY, BEATS
from tercel_sim.testbench import run


@pytest.mark.parametrize("positions", [20, 64])
def test_cycles_from_keys_to_values(positions, shape_of, random_layer):
    """The beats of a sweep follow each other; its values wait for their weights."""
    config = shape_of(macs=32)
    shape = {"kv_heads": 1, "head_slots": 1, "size": 32, "base": positions - 1, "parents": [-1]}
    layer = random_layer(np.random.default_rng(4), **shape)
    dut = Attention(config)

    async def bench(ctx):
        ctx.set(dut.tile, 32)
        ctx.set(dut.i_layer.payload, layer.fields(config))
        ctx.set(dut.i_layer.valid, 1)
        for port in dut.i_query_scales, dut.i_scales, dut.i_word:
            ctx.set(port.valid, 1)
        ctx.set(dut.o.ready, 1)
        taken, cycle = [], 0
        while len(taken) < 2 * positions:
            ctx.set(dut.i_sweep, cycle == 0)
            _, _, ready = await ctx.tick().sample(dut.i_word.ready)
            taken += [cycle] if ready else []
            cycle += 1
        return taken

    (taken,) = run(dut, bench, max_cycles=600)
    # Beats that come early wait in the queue; the next one enters a cycle after the first left.
    assert (np.diff(taken[BEATS:positions]) == 1).all()
    assert (np.diff(taken[positions + BEATS :]) == 1).all()
    assert taken[positions + BEATS] - taken[positions - 1] == dut.overhead + BEAT_LATENCY + 1


def test_it_converts(shape_of):
    assert "module" in rtlil.convert(Attention(shape_of()))
