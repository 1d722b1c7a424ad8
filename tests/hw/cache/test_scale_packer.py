import random

import pytest

from tercel_hw.cache import ScalePacker
from tercel_sim.testbench import get_all, put_all, run


def cases(config, count=12):
    generator = random.Random(5)
    lanes = config.vector.nodes
    return [
        {
            "scales": [generator.getrandbits(16) for _ in range(lanes)],
            "nodes": 1 + index % lanes,
            "place": index % config.positions,
            "value": generator.getrandbits(1),
        }
        for index in range(count)
    ]


def written(config, case):
    """Golden: byte address from the first granule on, to byte."""
    return {
        4 * (case["place"] + node) + 2 * case["value"] + byte: scale >> 8 * byte & 255
        for node, scale in enumerate(case["scales"][: case["nodes"]])
        for byte in range(2)
    }


@pytest.mark.parametrize(("lanes", "port_bytes"), [(1, 8), (5, 8), (5, 16), (8, 16), (16, 16)])
def test_each_scale_in_its_half(shape_of, idle, back_pressure, lanes, port_bytes):
    config = shape_of(nodes=lanes, port_bytes=port_bytes)
    packer, rows = ScalePacker(config), cases(config)

    async def source(ctx):
        await put_all(ctx, packer.i, rows, idle)

    async def sink(ctx):
        heads = []
        for case in rows:
            held, last, granule = {}, False, 0
            while not last:
                (piece,) = await get_all(ctx, packer.o, 1, back_pressure)
                for byte in range(port_bytes):
                    if piece.strobe >> byte & 1:
                        held[granule * port_bytes + byte] = piece.data >> 8 * byte & 255
                granule, last = granule + 1, piece.last
            assert granule == -(-(case["place"] + case["nodes"]) // config.positions)
            heads.append(held)
        return heads

    assert run(packer, source, sink, max_cycles=600)[1] == [written(config, case) for case in rows]


@pytest.mark.parametrize("place", range(4))
def test_when_granules_are_offered(shape_of, place):
    config = shape_of(nodes=8, port_bytes=16)
    packer = ScalePacker(config)
    case = {"scales": [7] * 8, "nodes": 8, "place": place, "value": 0}

    async def bench(ctx):
        ctx.set(packer.o.ready, 1)
        await put_all(ctx, packer.i, [case])
        offered = []
        for _ in range(12):
            *_, valid = await ctx.tick().sample(packer.o.valid)
            offered.append(bool(valid))
        return offered

    (offered,) = run(packer, bench, max_cycles=50)
    first, granules = packer.config.positions - place, 2 + (place > 0)
    assert offered == [first <= cycle < first + granules for cycle in range(12)]
