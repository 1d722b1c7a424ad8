import re

import numpy as np
import pytest
from amaranth.back import rtlil

from tercel_hw.head import ResultConfig, ResultWriter
from tercel_hw.memory import AxiConfig, BurstConfig, StripedWriterConfig, WriterConfig
from tercel_sim.testbench import get_all, put_all, run

RUNS = [(0x1000, 3), (0xFFFFFFF, 1), (7, 5)]


def shape(nodes, port_bytes, ports=2, count_width=24):
    axi = AxiConfig(address_width=40, data_width=8 * port_bytes)
    burst = BurstConfig(axi=axi, max_beats=4, count_width=count_width)
    writer = WriterConfig(burst=burst, buffer_beats=8, strobes=True)
    return ResultConfig(nodes=nodes, writer=StripedWriterConfig(writer=writer, ports=ports))


def granules_of(lines, port_bytes):
    """The granules of ``[lines, nodes]`` words of 32 bits, each line's last padded."""
    for line in lines:
        data = line.tobytes()
        for at in range(0, len(data), port_bytes):
            yield int.from_bytes(data[at : at + port_bytes], "little")


def random_lines(count, nodes):
    return np.random.default_rng(4).integers(0, 1 << 32, (count, nodes), np.uint32)


@pytest.mark.parametrize(
    ("nodes", "port_bytes", "ports", "each"),
    [(2, 16, 2, 1), (4, 16, 4, 1), (8, 16, 2, 2), (5, 8, 1, 3)],
    ids=["narrow", "equal", "wide", "uneven"],
)
def test_lines_become_granules(nodes, port_bytes, ports, each, idle, back_pressure):
    dut = ResultWriter(shape(nodes, port_bytes, ports))
    lines = random_lines(sum(count for _, count in RUNS), nodes)
    expected = list(granules_of(lines, port_bytes))

    async def runs(ctx):
        payloads = [{"address": address, "lines": count} for address, count in RUNS]
        await put_all(ctx, dut.i_run, payloads, idle)

    async def source(ctx):
        await put_all(ctx, dut.i_line, lines.tolist(), idle)

    async def commands(ctx):
        taken = await get_all(ctx, dut.o_command, len(RUNS), back_pressure)
        return [(command.granule, command.granules) for command in taken]

    async def sink(ctx):
        taken = await get_all(ctx, dut.o, len(expected), back_pressure)
        await ctx.tick()
        assert not ctx.get(dut.o.valid)
        return [(granule.data, granule.strobe) for granule in taken]

    _, _, told, given = run(dut, runs, source, commands, sink, max_cycles=800)
    assert told == [(address * ports, count * each) for address, count in RUNS]
    assert given == [(data, (1 << port_bytes) - 1) for data in expected]


@pytest.mark.parametrize(("nodes", "each"), [(4, 1), (8, 2)])
def test_a_granule_a_cycle(nodes, each):
    dut = ResultWriter(shape(nodes, 16))
    count = 6

    async def bench(ctx):
        ctx.set(dut.o.ready, 1)
        ctx.set(dut.o_command.ready, 1)
        ctx.set(dut.i_run.payload, {"address": 1, "lines": count})
        ctx.set(dut.i_run.valid, 1)
        ctx.set(dut.i_line.valid, 1)
        offered, lines, runs = [], [], []
        for cycle in range(2 * (count * each + dut.GAP)):
            assert ctx.get(dut.o_command.valid) == (cycle - 1 in runs)
            for port, cycles in (dut.i_run, runs), (dut.i_line, lines):
                if ctx.get(port.ready):
                    cycles.append(cycle)
            if ctx.get(dut.o.valid):
                offered.append(cycle)
            await ctx.tick()
        return runs, lines, offered

    runs, lines, offered = run(dut, bench, max_cycles=100)[0]
    first = 1 + dut.LATENCY
    length = count * each
    assert runs[:2] == [0, (count - 1) * each + 1 + dut.GAP]
    assert lines[:count] == [1 + each * line for line in range(count)]
    assert offered[:length] == list(range(first, first + length))


def test_a_run_waits_until_the_one_before_is_taken():
    dut = ResultWriter(shape(4, 16))

    async def bench(ctx):
        ctx.set(dut.o.ready, 1)
        await put_all(ctx, dut.i_run, [{"address": 5, "lines": 1}])
        await put_all(ctx, dut.i_line, [[1, 2, 3, 4]])
        await ctx.tick().repeat(5)
        assert not ctx.get(dut.o.valid)
        assert not ctx.get(dut.i_run.ready)
        assert ctx.get(dut.o_command.payload).granule == 10
        ctx.set(dut.o_command.ready, 1)
        await ctx.tick()
        assert ctx.get(dut.i_run.ready)

    run(dut, bench, max_cycles=100)


def test_the_kv260_shape_converts():
    assert "module" in rtlil.convert(ResultWriter(ResultConfig()))


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"nodes": 0}, ValueError, "nodes must be an integer in 1..64, not 0"),
        ({"writer": 4}, TypeError, "writer must be a StripedWriterConfig, not 4"),
    ],
)
def test_wrong_values_are_refused(fields, error, message):
    with pytest.raises(error, match=message):
        ResultConfig(**fields)


def test_runs_that_the_writer_cannot_count_are_refused():
    message = "count_width of the writer's bursts must be at least 21, but is 20"
    with pytest.raises(ValueError, match=re.escape(message)):
        shape(8, 16, count_width=20)
