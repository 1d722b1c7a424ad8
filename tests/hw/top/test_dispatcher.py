import pytest

from tercel.program import COMMANDS
from tercel_hw.top.dispatcher import UNITS, Dispatcher
from tercel_sim.testbench import get_all, put_all, run

CAPS, SHAPE = 0x01020304, 0x55667788


def program(*commands: tuple[str, dict]) -> bytes:
    return b"".join(COMMANDS[name].encode(**fields) for name, fields in commands)


def begin(caps: int = CAPS) -> tuple[str, dict]:
    return "begin", {"caps": caps, "shape": SHAPE}


def words_of(data: bytes, width: int) -> list[int]:
    step = width // 8
    return [int.from_bytes(data[i : i + step], "little") for i in range(0, len(data), step)]


def play(data: bytes, *, width: int = 128, units=(), idle_after=0):
    """Run a program; what came out of the units, and whether it failed."""
    dut = Dispatcher(word=width, caps=CAPS, shape=SHAPE)
    count = len(data) // 64

    async def driver(ctx):
        ctx.set(dut.address, 77)
        ctx.set(dut.length, count)
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        waited = errors = 0
        while ctx.get(dut.busy):
            errors += ctx.get(dut.error)
            waited += 1
            ctx.set(dut.idle, waited > idle_after)
            await ctx.tick()
        return waited, errors

    async def memory(ctx):
        (request,) = await get_all(ctx, dut.o_run, 1)
        assert (request.address, request.words) == (77, count * 512 // width)
        await put_all(ctx, dut.i, words_of(data, width))

    def unit(name):
        async def take(ctx):
            return await get_all(ctx, getattr(dut, name), units.count(name))

        return take

    names = sorted(set(units))
    results = run(dut, driver, *map(unit, names), memory, max_cycles=600)
    waited, errors = results[0]
    return dict(zip(names, results[1:], strict=False)), errors, waited


@pytest.mark.parametrize("width", [128, 512])
def test_every_unit_gets_its_commands_in_order(width):
    commands = [begin()]
    for name in UNITS:
        for turn in range(2):
            fields = COMMANDS[name].fields
            values = {f: (i + turn + 1) % (1 << bits) for i, (f, bits) in enumerate(fields.items())}
            commands.append((name, values))
    commands.append(("end", {}))
    units = [name for name, _ in commands[1:-1]]
    got, errors, _ = play(program(*commands), width=width, units=units)
    assert errors == 0
    for name in UNITS:
        expected = [values for unit, values in commands if unit == name]
        assert [{f: item[f] for f in COMMANDS[name].fields} for item in got[name]] == expected


def test_the_end_waits_until_all_is_idle():
    data = program(begin(), ("end", {}))
    _, _, soon = play(data)
    _, errors, late = play(data, idle_after=200)
    assert errors == 0
    assert soon < 100
    assert late == 201


@pytest.mark.parametrize(
    "data",
    [
        bytes(64) + program(("end", {})),
        program(begin(caps=CAPS + 1), ("end", {})),
        program(("end", {})),
        program(begin(), begin(), ("end", {})),
        program(begin(), ("end", {}), ("end", {})),
        program(begin(), ("gate", {"activation": 0, "width": 1})),
        program(begin()),
        program(begin())[:32] + bytes(32) + bytes([99]) + bytes(63),
        program(begin()) + bytes([13, 1]) + bytes(62),
        b"",
    ],
    ids=[
        "empty memory",
        "another shape",
        "no begin",
        "two begins",
        "early end",
        "no end",
        "only begin",
        "unknown number",
        "reserved bits",
        "no commands",
    ],
)
def test_a_wrong_program_is_an_error_and_ends_the_pass(data):
    """Commands after the wrong one are not read, so the bench's memory may be left waiting."""
    dut = Dispatcher(word=128, caps=CAPS, shape=SHAPE)

    async def driver(ctx):
        ctx.set(dut.length, len(data) // 64)
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        ctx.set(dut.o_run.ready, 1)
        ctx.set(dut.idle, 1)
        ctx.set(dut.gate.ready, 1)
        left, errors = words_of(data, 128), 0
        while ctx.get(dut.busy):
            if left:
                ctx.set(dut.i.payload, left[0])
                ctx.set(dut.i.valid, 1)
            ready = ctx.get(dut.i.ready)
            errors += ctx.get(dut.error)
            await ctx.tick()
            if left and ready:
                left.pop(0)
        return errors

    (errors,) = run(dut, driver, max_cycles=200)
    assert errors == 1
