"""The cache writer on its way to memory, beside another writer."""

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from tercel_hw.cache import CacheWriter
from tercel_hw.memory import Axi4Signature, StripedWriter, WriteMerge
from tercel_sim.axi_memory import WriteMemory
from tercel_sim.testbench import get_all, put_all, random_gaps, run


class Path(wiring.Component):
    """A cache writer and a port for results, merged on the memory ports."""

    def __init__(self, config):
        self.config = config
        self.cache = CacheWriter(config)
        self.merge = WriteMerge(config=config.writer)
        self.writer = StripedWriter(config=config.writer)
        axi = Axi4Signature(config.writer.writer.burst.axi, read=False)
        super().__init__(
            {
                "i_command": In(stream.Signature(config.writer.command)),
                "i": In(stream.Signature(config.writer.granule)),
                "axi": Out(axi).array(config.writer.ports),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.cache, m.submodules.merge = self.cache, self.merge
        m.submodules.writer = self.writer
        for asker, (runs, granules) in enumerate(
            ((self.cache.o_command, self.cache.o), (flipped(self.i_command), flipped(self.i)))
        ):
            connect(m, runs, self.merge.i_command[asker])
            connect(m, granules, self.merge.i[asker])
        connect(m, self.merge.o_command, self.writer.i_command)
        connect(m, self.merge.o, self.writer.i)
        for inside, port in zip(self.writer.axi, self.axi, strict=True):
            connect(m, inside, flipped(port))
        m.d.comb += self.cache.written.eq(~self.merge.busy & ~self.writer.busy)
        return m


def beats_of(memory, ports, port_bytes):
    """The memory's bytes by port and beat."""
    granules = memory.reshape(-1, ports, port_bytes)
    return [
        [int.from_bytes(beat.tobytes(), "little") for beat in granules[:, port]]
        for port in range(ports)
    ]


@pytest.mark.parametrize(("ports", "port_bytes"), [(2, 8), (4, 16)])
def test_the_cache_is_in_memory_when_it_is_done(shape_of, random_heads, ports, port_bytes):
    config = shape_of(nodes=3, ports=ports, port_bytes=port_bytes)
    rng = np.random.default_rng(ports)
    heads = [random_heads(rng, config, size=48, base=base, context=12) for base in (0, 5)]
    memory = rng.integers(0, 256, heads[0].memory_bytes()).astype(np.uint8)
    # The other writer's granules are behind.
    first = len(memory) // port_bytes
    path = Path(config)
    served = [
        WriteMemory(
            axi, latency=7 + 9 * port, take=random_gaps(port, 0.6), ask=random_gaps(9), strobes=True
        )
        for port, axi in enumerate(path.axi)
    ]
    held = beats_of(memory, ports, port_bytes)
    for each, beats in zip(served, held, strict=True):
        each.written = dict(enumerate(beats))

    async def columns(ctx):
        await put_all(ctx, path.cache.i, [each for one in heads for each in one.columns])

    async def scales(ctx):
        await put_all(ctx, path.cache.i_scales, [row for one in heads for row in one.scale_rows])

    async def bench(ctx):
        for one in heads:
            await put_all(ctx, path.cache.i_command, [one.command])
            await get_all(ctx, path.cache.o_done, 1)
            one.write(memory)
            for each, beats in zip(served, beats_of(memory, ports, port_bytes), strict=True):
                assert [each.written[beat] for beat in range(len(beats))] == beats
        for each in served:
            each.running = False

    async def results(ctx):
        for index in range(12):
            await put_all(ctx, path.i_command, [{"granule": first + index, "granules": 1}])
            await put_all(ctx, path.i, [{"data": index, "strobe": (1 << port_bytes) - 1}])

    servers = [each.serve for each in served]
    run(path, columns, scales, bench, results, *servers, max_cycles=4000)
    for index in range(12):
        at = first + index
        assert served[at % ports].written[at // ports] == index
