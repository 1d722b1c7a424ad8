"""Cocotb bench: the streams' helpers on a FIFO; who waits, and for how long."""

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, ReadOnly, RisingEdge

from tercel_sim.cocotb_streams import get, idle, pauses, put

VALUES = [7 * index % 256 for index in range(100)]


async def begin(dut):
    Clock(dut.clk, 4, "ns").start()
    dut.rst.value = 1
    idle(dut, inputs=["i"], outputs=["o"])
    await ClockCycles(dut.clk, 2)
    dut.rst.value = 0
    await RisingEdge(dut.clk)


async def passed(dut, name, cycles):
    """In which of the next cycles something passes."""
    seen = []
    for cycle in range(cycles):
        await RisingEdge(dut.clk)
        if getattr(dut, f"{name}_valid").value and getattr(dut, f"{name}_ready").value:
            seen.append(cycle)
    return seen


@cocotb.test(timeout_time=10, timeout_unit="us")
async def without_waiting_one_passes_a_cycle(dut):
    await begin(dut)
    entering = cocotb.start_soon(passed(dut, "i", 120))
    feed = cocotb.start_soon(put(dut, "i", VALUES))
    taken = await get(dut, "o", len(VALUES))
    await feed
    assert [int(value) for value in taken] == VALUES
    cycles = await entering
    assert cycles == list(range(cycles[0], cycles[0] + len(VALUES)))
    await ReadOnly()
    assert not dut.i_valid.value
    assert not dut.o_ready.value


@cocotb.test(timeout_time=20, timeout_unit="us")
async def both_sides_may_wait(dut):
    await begin(dut)
    entering = cocotb.start_soon(passed(dut, "i", 60))
    feed = cocotb.start_soon(put(dut, "i", VALUES, pauses(0.5, seed=1)))
    taken = await get(dut, "o", len(VALUES), pauses(0.8, seed=2))
    await feed
    assert [int(value) for value in taken] == VALUES
    assert 3 < len(await entering) < 30
