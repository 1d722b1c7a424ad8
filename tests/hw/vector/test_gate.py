import numpy as np
import pytest
from amaranth.back import rtlil

from tercel.numerics import multiply, relu2, silu
from tercel_hw.vector import Gate, VectorConfig
from tercel_hw.vector.gated_activation import GatedActivation
from tercel_sim.testbench import every_cycle, get_all, put_all, run

ACTIVATIONS = [silu, relu2]


def bits_of(x):
    return np.ascontiguousarray(x, np.float32).view(np.uint32).tolist()


def shape(nodes=2):
    return VectorConfig(nodes=nodes, columns=64, hidden=64)


def random_rows(seed, width, nodes):
    """Gates and ups, ``[nodes, width]`` each."""
    rng = np.random.default_rng(seed)
    return rng.normal(0, 4, (2, nodes, width)).astype(np.float32)


def elements(gates, ups):
    """The row in the order of the linear's rows."""
    lanes = np.stack([gates, ups], axis=2).reshape(len(gates), -1)
    last = lanes.shape[1] - 1
    return [{"values": bits_of(x), "last": i == last} for i, x in enumerate(lanes.T)]


def outputs(activation, gates, ups):
    values = multiply(ACTIVATIONS[activation](gates), ups)
    last = values.shape[1] - 1
    return [(bits_of(x), i == last) for i, x in enumerate(values.T)]


def play(config, rows, idle=every_cycle, back_pressure=every_cycle):
    """Rows ``(activation, gates, ups)`` against the golden model."""
    dut = Gate(config)
    commands = [{"activation": a, "width": gates.shape[1]} for a, gates, _ in rows]
    inputs = [element for _, gates, ups in rows for element in elements(gates, ups)]
    expected = [output for row in rows for output in outputs(*row)]

    async def command(ctx):
        await put_all(ctx, dut.i_command, commands, idle)

    async def source(ctx):
        await put_all(ctx, dut.i, inputs, idle)

    async def sink(ctx):
        taken = await get_all(ctx, dut.o, len(expected), back_pressure)
        return [(list(p["values"]), bool(p.last)) for p in taken]

    assert run(dut, command, source, sink, max_cycles=3000)[2] == expected


@pytest.mark.parametrize("nodes", [1, 2, 3])
def test_it_equals_the_golden_model(nodes, idle, back_pressure):
    widths = [(0, 20), (1, 40), (1, 1), (0, 1), (1, 7)]
    rows = [(a, *random_rows(index, width, nodes)) for index, (a, width) in enumerate(widths)]
    play(shape(nodes), rows, idle, back_pressure)


def test_a_taker_that_sleeps_loses_nothing():
    awake = iter([False] * 200)
    rows = [(0, *random_rows(1, 60, 2)), (1, *random_rows(2, 30, 2))]
    play(shape(), rows, back_pressure=lambda: next(awake, True))


@pytest.mark.parametrize("activation", [0, 1])
def test_extreme_gates(activation):
    largest = np.finfo(np.float32).max
    corners = np.float32([0, -0.0, 2**-126, -(2**-126), 1, -1, 88, -88, 2**70, -(2**70), largest])
    corners = corners[np.isfinite(ACTIVATIONS[activation](corners))]
    gates, ups = np.meshgrid(corners, np.float32([0, -0.0, 1, -1.5, 2**-126, 2**100]))
    play(shape(1), [(activation, gates.reshape(1, -1), ups.reshape(1, -1))])


@pytest.mark.parametrize("activation", [0, 1])
def test_latency_and_an_element_a_cycle(activation):
    config, width = shape(), 40
    dut, (gates, ups) = Gate(config), random_rows(9, 40, 2)
    inputs, expected = elements(gates, ups), outputs(activation, gates, ups)

    async def bench(ctx):
        await put_all(ctx, dut.i_command, [{"activation": activation, "width": width}])
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.o.ready, 1)
        for cycle in range(2 * width + dut.LATENCY + 3):
            ctx.set(dut.i.payload, inputs[min(cycle, 2 * width - 1)])
            assert ctx.get(dut.i.ready) == (cycle < 2 * width)
            result, between = divmod(cycle - 1 - dut.LATENCY, 2)
            offered = 0 <= result < width and not between
            assert ctx.get(dut.o.valid) == offered
            if offered:
                payload = ctx.get(dut.o.payload)
                assert (list(payload["values"]), bool(payload.last)) == expected[result]
            await ctx.tick()

    assert dut.LATENCY == GatedActivation.LATENCY + 2 == 46
    run(dut, bench, max_cycles=300)


def test_it_becomes_rtl():
    assert "module \\top" in rtlil.convert(Gate(shape()))
