import pytest
from amaranth.hdl import Module, Signal

from tercel_hw.wrap_increment import wrap_increment
from tercel_sim.testbench import run


@pytest.mark.parametrize("places", [1, 2, 3, 8])
def test_places_come_in_turn(places):
    m, place = Module(), Signal(range(places))
    m.d.sync += place.eq(wrap_increment(place, places))

    async def bench(ctx):
        for cycle in range(3 * places):
            assert ctx.get(place) == cycle % places
            await ctx.tick()

    run(m, bench, max_cycles=30)
