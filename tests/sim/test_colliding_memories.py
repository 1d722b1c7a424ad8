import pytest
from amaranth.hdl import Fragment, Module
from amaranth.lib import memory

from tercel_sim import testbench
from tercel_sim.colliding_memories import CollidingMemories
from tercel_sim.testbench import run


@pytest.fixture(autouse=True)
def colliding(monkeypatch):
    plain = testbench.Simulator
    platform = CollidingMemories()
    monkeypatch.setattr(testbench, "Simulator", lambda dut: plain(Fragment.get(dut, platform)))


def read_while_writing(place, *, transparent=False, granularity=None):
    """Reads of word 3, of which the first is in the cycle in which ones are written at a place."""
    m = Module()
    m.submodules.words = words = memory.Memory(shape=8, depth=8, init=[0x50 + i for i in range(8)])
    write = words.write_port(granularity=granularity)
    read = words.read_port(transparent_for=[write] if transparent else [])

    async def bench(ctx):
        ctx.set(read.addr, 3)
        ctx.set(write.addr, place)
        ctx.set(write.data, 0xFF)
        ctx.set(write.en, 1)
        await ctx.tick()
        ctx.set(write.en, 0)
        met = ctx.get(read.data)
        await ctx.tick()
        return met, ctx.get(read.data)

    (found,) = run(m, bench, max_cycles=8)
    return found


def test_a_read_that_meets_a_write_gives_garbage_once():
    assert read_while_writing(3) == (0x53 ^ 0xFF, 0xFF)


def test_only_written_bits_are_wrong():
    assert read_while_writing(3, granularity=4) == (0x53 ^ 0x0F, 0x5F)


def test_another_address_and_a_transparent_read_are_right():
    assert read_while_writing(4) == (0x53, 0x53)
    assert read_while_writing(3, transparent=True) == (0xFF, 0xFF)
