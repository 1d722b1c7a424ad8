import numpy as np
import pytest
from amaranth.back import rtlil

from tercel.numerics import add
from tercel_hw.vector import Residual, VectorConfig
from tercel_sim.testbench import every_cycle, get_all, put_all, random_gaps, run

NODES, HIDDEN = 3, 32
ADD, REPLAY = 0, 1


def bits_of(x):
    return np.ascontiguousarray(x, np.float32).view(np.uint32).tolist()


@pytest.fixture
def config():
    return VectorConfig(nodes=NODES, columns=64, hidden=HIDDEN)


def random_row(seed, width):
    """``[width, nodes]``, with zeros of both signs."""
    rng = np.random.default_rng(seed)
    row = rng.normal(0, 8, (width, NODES)).astype(np.float32)
    row[rng.random(row.shape) < 0.1] = 0
    return row * rng.choice(np.float32([1, -1]), row.shape)


def loads(row):
    """The elements of all lanes in random order."""
    elements = [
        {"lane": lane, "address": address, "value": int(value.view(np.uint32)), "zero": 0}
        for (address, lane), value in np.ndenumerate(row)
    ]
    np.random.default_rng(0).shuffle(elements)
    return elements


def zeros(width):
    return [{"lane": 1, "address": a, "value": 0x3F800000, "zero": 1} for a in range(width)]


def command(operation, target, width):
    return {"operation": operation, "target": target, "width": width}


def row_of(row):
    return [(bits_of(x), index == len(row) - 1) for index, x in enumerate(row)]


class Stream:
    """The residual stream in NumPy."""

    def __init__(self, dut):
        self.dut = dut
        self.state = np.zeros((HIDDEN, NODES), np.float32)
        self.commands, self.inputs, self.expected = [], [], ([], [])

    def load(self, row):
        self.state[: len(row)] = row
        return loads(row)

    def add(self, target, row):
        width = len(row)
        self.commands.append(command(ADD, target, width))
        self.inputs += [{"values": bits_of(x), "last": i == width - 1} for i, x in enumerate(row)]
        self.state[:width] = add(self.state[:width], row)
        self.expected[target].extend(row_of(self.state[:width]))

    def replay(self, target, width):
        self.commands.append(command(REPLAY, target, width))
        self.expected[target].extend(row_of(self.state[:width]))

    def benches(self, elements, idle=every_cycle, back_pressure=every_cycle):
        """Commands are offered at once; they begin when the elements are there."""
        dut = self.dut

        async def element(ctx):
            await put_all(ctx, dut.i_element, elements, idle)
            ctx.set(dut.i_loaded, 1)

        async def order(ctx):
            await put_all(ctx, dut.i_command, self.commands, idle)

        async def source(ctx):
            await put_all(ctx, dut.i, self.inputs, idle)

        def sink(target):
            async def take(ctx):
                count = len(self.expected[target])
                taken = await get_all(ctx, dut.o[target], count, back_pressure)
                return [(list(p["values"]), bool(p.last)) for p in taken]

            return take

        return element, order, source, sink(0), sink(1)

    def check(self, results):
        assert results == list(self.expected)


def test_adds_and_replays(config, idle, back_pressure):
    stream = Stream(Residual(config))
    elements = stream.load(random_row(1, HIDDEN))
    stream.replay(0, HIDDEN)
    stream.add(0, random_row(2, HIDDEN))
    stream.add(0, random_row(3, 16))
    stream.replay(1, HIDDEN)
    benches = stream.benches(elements, idle, back_pressure)
    stream.check(run(stream.dut, *benches, max_cycles=2000)[-2:])


@pytest.mark.parametrize("width", [1, 2, 5, 11, 12])
def test_a_command_sees_the_sums_of_the_one_before(config, width):
    stream = Stream(Residual(config))
    elements = stream.load(random_row(4, width))
    for seed in range(3):
        stream.add(seed % 2, random_row(5 + seed, width))
    stream.replay(1, width)
    results = run(stream.dut, *stream.benches(elements), max_cycles=500)
    stream.check(results[-2:])


def test_corner_values(config):
    largest = np.finfo(np.float32).max
    corners = np.float32([0, -0.0, 1, -1, 2**-126, -(2**-126), 1.5 * 2**-126, largest, -largest])
    a, b = np.meshgrid(corners, corners)
    a, b = a.ravel(), b.ravel()
    for start in range(0, len(a), HIDDEN * NODES):
        part = slice(start, start + HIDDEN * NODES)
        row, added = (np.resize(x[part], (HIDDEN, NODES)) for x in (a, b))
        stream = Stream(Residual(config))
        elements = stream.load(row)
        stream.replay(1, HIDDEN)
        stream.add(0, added)
        results = run(stream.dut, *stream.benches(elements), max_cycles=1000)
        stream.check(results[-2:])


def test_zero_reaches_all_lanes(config):
    stream = Stream(Residual(config))
    elements = stream.load(random_row(6, HIDDEN)) + zeros(HIDDEN - 1)
    stream.state[:-1] = 0
    stream.replay(0, HIDDEN)
    stream.check(run(stream.dut, *stream.benches(elements), max_cycles=500)[-2:])


def test_commands_wait_for_the_elements_and_elements_for_commands(config):
    dut = Residual(config)
    row = random_row(8, 4)

    async def bench(ctx):
        ctx.set(dut.i_command.payload, command(REPLAY, 0, 4))
        ctx.set(dut.i_command.valid, 1)
        await put_all(ctx, dut.i_element, loads(row), random_gaps(1))
        for _ in range(5):
            assert not ctx.get(dut.i_command.ready)
            await ctx.tick()
        # An element that is offered goes first, whatever the loader says.
        ctx.set(dut.i_loaded, 1)
        ctx.set(dut.i_element.valid, 1)
        ctx.set(dut.i_element.payload, {"lane": 0, "address": 3, "value": 7, "zero": 0})
        assert ctx.get(dut.i_element.ready)
        assert not ctx.get(dut.i_command.ready)
        await ctx.tick()
        ctx.set(dut.i_element.valid, 0)
        await ctx.tick().until(dut.i_command.ready)
        ctx.set(dut.i_command.valid, 0)
        ctx.set(dut.i_element.valid, 1)
        for _ in range(4 + dut.WRITES):
            assert not ctx.get(dut.i_element.ready)
            await ctx.tick()
        assert ctx.get(dut.i_element.ready)

    run(dut, bench, max_cycles=200)


@pytest.mark.parametrize("operation", [ADD, REPLAY])
def test_latency_and_an_element_a_cycle(config, operation):
    dut, width = Residual(config), 24
    row = random_row(9, width)

    async def bench(ctx):
        ctx.set(dut.i_loaded, 1)
        ctx.set(dut.o[1].ready, 1)
        ctx.set(dut.i.valid, 1)
        await put_all(ctx, dut.i_command, [command(operation, 1, width)])
        ctx.set(dut.i_command.valid, 1)
        for cycle in range(width + dut.LATENCY):
            step = min(cycle, width - 1)
            ctx.set(dut.i.payload, {"values": bits_of(row[step]), "last": step == width - 1})
            assert ctx.get(dut.i.ready) == (operation == ADD and cycle < width)
            assert ctx.get(dut.o[1].valid) == (0 <= cycle - dut.LATENCY < width)
            assert ctx.get(dut.i_command.ready) == (cycle == width + dut.WRITES)
            assert not ctx.get(dut.o[0].valid)
            await ctx.tick()

    assert (dut.WRITES, dut.LATENCY) == (10, 11)
    run(dut, bench, max_cycles=200)


def test_it_becomes_rtl(config):
    assert "module \\top" in rtlil.convert(Residual(config))
