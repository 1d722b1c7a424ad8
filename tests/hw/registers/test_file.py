import itertools

import pytest

from tercel_hw.registers import RegisterFile
from tercel_sim.testbench import run


@pytest.fixture(params=[0, 2], ids=["no gap", "gaps"])
def gap(request):
    return request.param


def test_constants_and_shown_values(small_map, driver, gap):
    file = RegisterFile(registers=small_map)
    bus = driver(file.bus, gap)

    async def bench(ctx):
        ctx.set(file.seen, {"low": 9, "high": 5})
        assert await bus.read(ctx, 0) == 0xABCD
        assert await bus.read(ctx, 4) == 0x5009
        await bus.write(ctx, 0, 0xFFFF)
        await bus.write(ctx, 4, 0xFFFF)
        assert await bus.read(ctx, 0) == 0xABCD
        assert await bus.read(ctx, 4) == 0x5009

    run(file, bench, max_cycles=200)


def test_kept_values_with_strobes(small_map, driver, gap):
    file = RegisterFile(registers=small_map)
    bus = driver(file.bus, gap)

    async def bench(ctx):
        assert await bus.read(ctx, 8) == 0x2005
        assert ctx.get(file.kept.high) == 2
        await bus.write(ctx, 8, 0xFFFFFFFF)
        assert await bus.read(ctx, 8) == 0x700F
        await bus.write(ctx, 8, 0, strobes=0b0010)
        assert await bus.read(ctx, 8) == 0x000F
        assert (ctx.get(file.kept.low), ctx.get(file.kept.high)) == (15, 0)
        await bus.write(ctx, 40, 0x89ABCDEF)
        await bus.write(ctx, 44, 0x01234567, strobes=0b0101)
        assert ctx.get(file.place) == 0x0023006789ABCDEF
        assert await bus.read(ctx, 40) == 0x89ABCDEF
        assert await bus.read(ctx, 44) == 0x00230067

    run(file, bench, max_cycles=400)


def test_sticky_bits_and_setting_wins(small_map, driver):
    file = RegisterFile(registers=small_map)
    bus = driver(file.bus)

    async def bench(ctx):
        ctx.set(file.sticky.set, {"low": 0b0110, "high": 0b001})
        await ctx.tick()
        ctx.set(file.sticky.set, {"low": 0, "high": 0})
        assert await bus.read(ctx, 12) == 0x1006
        await bus.write(ctx, 12, 0x0002)
        assert await bus.read(ctx, 12) == 0x1004
        await bus.write(ctx, 12, 0xFFFF, strobes=0b1100)
        assert await bus.read(ctx, 12) == 0x1004
        ctx.set(file.sticky.set, {"low": 0b0110, "high": 0})
        for signal, value in ((file.bus.awaddr, 12), (file.bus.wdata, 0xFFFF)):
            ctx.set(signal, value)
        for signal in (file.bus.awvalid, file.bus.wvalid, file.bus.bready):
            ctx.set(signal, 1)
        ctx.set(file.bus.wstrb, 0xF)
        await ctx.tick()
        ctx.set(file.sticky.set, {"low": 0, "high": 0})
        ctx.set(file.bus.awvalid, 0)
        ctx.set(file.bus.wvalid, 0)
        await ctx.tick()
        assert await bus.read(ctx, 12) == 0x0006
        assert ctx.get(file.sticky.value.low) == 6

    run(file, bench, max_cycles=200)


def test_a_pulse_lasts_one_cycle(small_map, driver, gap):
    file = RegisterFile(registers=small_map)
    bus = driver(file.bus, gap)

    async def bench(ctx):
        await bus.write(ctx, 16, 0x100A)
        await bus.write(ctx, 8, 0xF)
        assert await bus.read(ctx, 16) == 0

    async def watch(ctx):
        seen = []
        for _ in range(40):
            *_, value = await ctx.tick().sample(file.go.as_value())
            seen.append(value)
        return seen

    seen = run(file, bench, watch, max_cycles=200)[1]
    assert [value for value in seen if value] == [0x100A]


def test_both_halves_of_a_long_register_belong_together(small_map, driver):
    file = RegisterFile(registers=small_map)
    bus = driver(file.bus)

    async def bench(ctx):
        ctx.set(file.count, 0x1_FFFFFFFF)
        low = await bus.read(ctx, 24)
        ctx.set(file.count, 0x2_00000000)
        high = await bus.read(ctx, 28)
        assert (high, low) == (1, 0xFFFFFFFF)
        assert await bus.read(ctx, 24) == 0
        assert await bus.read(ctx, 28) == 2

    run(file, bench, max_cycles=200)


def test_addresses_without_a_register(small_map, driver):
    file = RegisterFile(registers=small_map)
    bus = driver(file.bus)

    async def bench(ctx):
        await bus.write(ctx, 20, 0xFFFFFFFF)
        assert await bus.read(ctx, 20) == 0
        assert await bus.read(ctx, 60) == 0
        assert await bus.read(ctx, 10) == 0x2005

    run(file, bench, max_cycles=200)


def test_an_access_every_cycle(small_map):
    file, bus = RegisterFile(registers=small_map), None
    bus = file.bus

    async def bench(ctx):
        for signal in (bus.arvalid, bus.rready, bus.awvalid, bus.wvalid, bus.bready):
            ctx.set(signal, 1)
        ctx.set(bus.wstrb, 0xF)
        for cycle, address in enumerate(itertools.chain(range(0, 20, 4), [8, 8, 8])):
            ctx.set(bus.araddr, address)
            ctx.set(bus.awaddr, 40)
            ctx.set(bus.wdata, address)
            await ctx.tick()
            assert (ctx.get(bus.rvalid), ctx.get(bus.bvalid)) == (cycle > 0, 1)
            assert (ctx.get(bus.arready), ctx.get(bus.awready)) == (1, 1)
            assert ctx.get(file.place) == address
        assert ctx.get(bus.rdata) == 0x2005

    run(file, bench, max_cycles=50)
