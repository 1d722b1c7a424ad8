import pytest

from tercel.image import LAYOUTS
from tercel_hw.registers import COUNTERS, AcceleratorControl, ControlConfig, accelerator_registers
from tercel_sim.testbench import run

CONFIG = ControlConfig(nodes=4, version=(1, 2, 3))
REGISTERS = accelerator_registers(CONFIG).constants()


def test_offsets_are_stable():
    """Drivers in the field hold these."""
    names = ["ID", "VERSION", "CAPS", "SHAPE", "CONTROL", "STATUS", "ERROR", "IRQ_STATUS"]
    names += ["IRQ_ENABLE", "WATCHDOG", "PROGRAM_ADDRESS", "PROGRAM_LENGTH", "CYCLES"]
    names += ["BYTES_WRITTEN", "TAPE_BASE0"]
    offsets = [REGISTERS[name] for name in names]
    assert offsets == [0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 48, 0x40, 0x70, 0x80]


def test_identity(driver):
    control = AcceleratorControl(config=CONFIG)
    bus = driver(control.bus)

    async def bench(ctx):
        assert await bus.read(ctx, 0) == 0x5452434C
        assert await bus.read(ctx, 4) == 0x00010203
        assert await bus.read(ctx, 8) == 0x01100404
        assert await bus.read(ctx, 12) == 511 << 16 | 77

    run(control, bench, max_cycles=100)


def test_a_pass(driver):
    control = AcceleratorControl(config=CONFIG)
    bus = driver(control.bus)

    async def bench(ctx):
        await bus.write(ctx, REGISTERS["IRQ_ENABLE"], 1)
        await bus.write(ctx, REGISTERS["PROGRAM_ADDRESS"], 0x89ABCDE0)
        await bus.write(ctx, REGISTERS["PROGRAM_ADDRESS"] + 4, 0xF12)
        await bus.write(ctx, REGISTERS["PROGRAM_LENGTH"], 0x12345)
        await bus.write(ctx, REGISTERS["TAPE_BASE0"] + 8 * 2, 0x1000)
        assert ctx.get(control.program_length) == 0x12345
        assert ctx.get(control.program_address) == 0x1289ABCDE0
        assert ctx.get(control.tape_base[2]) == 0x1000
        ctx.set(control.events, {"bytes_read": 64})
        await bus.write(ctx, REGISTERS["CONTROL"], 1)
        return await bus.read(ctx, REGISTERS["STATUS"])

    async def machine(ctx):
        await ctx.tick().until(control.start)
        ctx.set(control.busy, 1)
        ctx.set(control.events, {"bytes_read": 64, "tape_stall": 1, "head": 1})
        await ctx.tick().repeat(100)
        ctx.set(control.busy, 0)
        ctx.set(control.events, dict.fromkeys(("bytes_read", "tape_stall", "head"), 0))
        await ctx.tick().repeat(3)
        assert ctx.get(control.irq)
        counted = {}
        for name in COUNTERS:
            counted[name] = await bus.read(ctx, REGISTERS[name.upper()])
        assert counted == {
            "cycles": 100,
            "tape_stall": 100,
            "compute": 0,
            "attention": 0,
            "head": 100,
            "bytes_read": 6400,
            "bytes_written": 0,
            "table_stall": 0,
        }
        assert await bus.read(ctx, REGISTERS["STATUS"]) == REGISTERS["STATUS_DONE_MASK"]
        await bus.write(ctx, REGISTERS["IRQ_STATUS"], 1)
        await ctx.tick().repeat(2)
        assert not ctx.get(control.irq)
        await bus.write(ctx, REGISTERS["CONTROL"], 1)
        assert await bus.read(ctx, REGISTERS["STATUS"]) == 0
        assert await bus.read(ctx, REGISTERS["CYCLES"]) == 0

    status, _ = run(control, bench, machine, max_cycles=1000)
    assert status == REGISTERS["STATUS_BUSY_MASK"]


def test_a_start_while_busy_is_ignored(driver):
    control = AcceleratorControl(config=CONFIG)
    bus = driver(control.bus)

    async def bench(ctx):
        ctx.set(control.busy, 1)
        await bus.write(ctx, REGISTERS["CONTROL"], 3)

    async def watch(ctx):
        seen = [0, 0]
        for _ in range(20):
            *_, start, reset = await ctx.tick().sample(control.start, control.reset)
            seen = [seen[0] + start, seen[1] + reset]
        return seen

    assert run(control, bench, watch, max_cycles=100)[1] == [0, 1]


def test_a_pass_that_is_cut_off_is_not_done(driver):
    control = AcceleratorControl(config=CONFIG)
    bus = driver(control.bus)

    async def passes(ctx, *commands):
        """Write to ``control`` before and during a pass; whether it is done then."""
        await bus.write(ctx, REGISTERS["IRQ_STATUS"], 3)
        await bus.write(ctx, REGISTERS["CONTROL"], 1)
        ctx.set(control.busy, 1)
        await ctx.tick()
        for command in commands:
            await bus.write(ctx, REGISTERS["CONTROL"], command)
        ctx.set(control.busy, 0)
        await ctx.tick().repeat(4)
        status = await bus.read(ctx, REGISTERS["STATUS"])
        return status, await bus.read(ctx, REGISTERS["IRQ_STATUS"])

    async def bench(ctx):
        return [await passes(ctx), await passes(ctx, 2), await passes(ctx)]

    done = REGISTERS["STATUS_DONE_MASK"], 1
    assert run(control, bench, max_cycles=500)[0] == [done, (0, 0), done]


def test_every_error_has_its_name(driver):
    control = AcceleratorControl(config=CONFIG)
    bus = driver(control.bus)

    async def bench(ctx):
        await bus.write(ctx, REGISTERS["IRQ_ENABLE"], 2)
        for name in CONFIG.errors:
            ctx.set(control.errors, {name: 1})
            await ctx.tick()
            ctx.set(control.errors, {name: 0})
            await ctx.tick().repeat(2)
            assert ctx.get(control.irq)
            mask = REGISTERS[f"ERROR_{name.upper()}_MASK"]
            assert await bus.read(ctx, REGISTERS["ERROR"]) == mask
            assert await bus.read(ctx, REGISTERS["STATUS"]) == REGISTERS["STATUS_ERROR_MASK"]
            await bus.write(ctx, REGISTERS["ERROR"], mask)
            assert await bus.read(ctx, REGISTERS["STATUS"]) == 0
            assert ctx.get(control.irq)
            await bus.write(ctx, REGISTERS["IRQ_STATUS"], 2)
            await ctx.tick().repeat(2)
            assert not ctx.get(control.irq)

    run(control, bench, max_cycles=1000)


def test_a_start_during_a_pass_is_an_error_and_no_start(driver):
    control = AcceleratorControl(config=CONFIG)
    bus = driver(control.bus)

    async def bench(ctx):
        ctx.set(control.busy, 1)
        await bus.write(ctx, REGISTERS["CONTROL"], 1)
        return await bus.read(ctx, REGISTERS["ERROR"])

    async def watch(ctx):
        starts = 0
        for _ in range(40):
            await ctx.tick()
            starts += ctx.get(control.start)
        return starts

    error, starts = run(control, bench, watch, max_cycles=100)
    assert error == REGISTERS["ERROR_START_MASK"]
    assert starts == 0


@pytest.mark.parametrize("limit", [0, 20])
def test_the_watchdog(driver, limit):
    control = AcceleratorControl(config=CONFIG)
    bus = driver(control.bus)
    mask = REGISTERS["ERROR_WATCHDOG_MASK"]

    async def bench(ctx):
        await bus.write(ctx, REGISTERS["WATCHDOG"], limit)
        ctx.set(control.busy, 1)
        for _ in range(5):
            await ctx.tick().repeat(18)
            ctx.set(control.progress, 1)
            await ctx.tick()
            ctx.set(control.progress, 0)
        assert await bus.read(ctx, REGISTERS["ERROR"]) == 0
        await ctx.tick().repeat(25)
        assert await bus.read(ctx, REGISTERS["ERROR"]) == (mask if limit else 0)
        await bus.write(ctx, REGISTERS["ERROR"], mask)
        await ctx.tick().repeat(50)
        assert await bus.read(ctx, REGISTERS["ERROR"]) == 0

    run(control, bench, max_cycles=400)


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"nodes": 0}, "nodes must be an integer in 1..255, not 0"),
        ({"version": (1, 2)}, r"version must be \(major, minor, patch\), not \(1, 2\)"),
        ({"version": (1, 256, 0)}, "a part of version must be an integer in 0..255, not 256"),
        ({"address_width": 31}, "address_width must be an integer in 32..64, not 31"),
        ({"watchdog_cycles": -1}, "watchdog_cycles must be an integer in 0..4294967295, not -1"),
        ({"streams": ("KV",)}, "a name must be lower_case letters and digits, not 'KV'"),
        ({"streams": ("code",)}, "streams must have different names, not tape0"),
        (
            {"streams": tuple(f"s{index}" for index in range(25))},
            "number of error bits must be an integer in 1..32, not 33",
        ),
    ],
)
def test_a_broken_field_is_named(fields, rule):
    with pytest.raises(ValueError, match=rule):
        ControlConfig(**fields)


def test_the_map_of_another_layout():
    registers = accelerator_registers(ControlConfig(layout=LAYOUTS["kv260-index5"], nodes=16))
    assert registers["caps"].constant == 0x00100410
    assert registers["shape"].constant == 511 << 16 | 128
