"""Cocotb bench: managers on the wires of a port, and the model of a memory behind it."""

import cocotb
import pytest
from axi_managers import BAD, GOOD, burst, playing
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge
from cocotbext.axi import AxiBus, AxiRam

from tercel_sim.axi_monitor import monitor_manager
from tercel_sim.axi_rules import AxiRuleError

PORT = "m_axi_mem0"
MEMORY_BYTES = 1 << 14
FIELDS = ("addr", "len", "size", "burst", "id")


def wire(dut, name):
    return getattr(dut, f"{PORT}_{name}")


def offer(dut, offers):
    for channel in ("ar", "aw", "w"):
        wire(dut, f"{channel}valid").value = channel in offers
    for channel in ("ar", "aw"):
        for name, value in zip(FIELDS, offers.get(channel, ()), strict=False):
            wire(dut, channel + name).value = value
    for name, value in zip(("data", "strb", "last"), offers.get("w", ()), strict=False):
        wire(dut, f"w{name}").value = value


async def begin(dut):
    Clock(dut.clk, 4, "ns").start()
    dut.rst.value = 1
    offer(dut, {})
    for name in ("rready", "bready"):
        wire(dut, name).value = 1
    await ClockCycles(dut.clk, 3)


async def play(dut, script):
    """A manager of a memory that is always ready, but for beats before their request."""
    manager, announced = playing(script), 0
    offers, stalled = next(manager)
    while True:
        offer(dut, offers)
        taken = set() if stalled else {"ar", "aw"} & set(offers)
        if "w" in offers and announced and not stalled:
            taken.add("w")
        for channel in ("ar", "aw"):
            wire(dut, f"{channel}ready").value = not stalled
        wire(dut, "wready").value = "w" in taken
        await RisingEdge(dut.clk)
        announced -= "w" in taken
        if "aw" in taken:
            announced += offers["aw"].length + 1
        try:
            offers, stalled = manager.send(taken)
        except StopIteration:
            return


async def judged(dut, script):
    """The broken rule, or none."""
    dut.rst.value = 1
    monitor = cocotb.start_soon(watch(dut))
    await ClockCycles(dut.clk, 2)
    dut.rst.value = 0
    await RisingEdge(dut.clk)
    await play(dut, script)
    if not monitor.done():
        monitor.cancel()
        return None
    return monitor.result()


async def watch(dut):
    try:
        await monitor_manager(dut, PORT)
    except AxiRuleError as error:
        return str(error)


@cocotb.test(timeout_time=200, timeout_unit="us")
async def bad_managers_are_named(dut):
    await begin(dut)
    for name, (rule, script) in BAD.items():
        assert await judged(dut, script) == rule, name


@cocotb.test(timeout_time=200, timeout_unit="us")
async def good_managers_are_not(dut):
    await begin(dut)
    for name, script in GOOD.items():
        assert await judged(dut, script) is None, name


@cocotb.test(timeout_time=10, timeout_unit="us")
async def a_reset_forgets_what_waits(dut):
    await begin(dut)
    monitor = cocotb.start_soon(monitor_manager(dut, PORT))
    for name in ("arready", "awready", "wready"):
        wire(dut, name).value = 0
    dut.rst.value = 0
    offer(dut, {"ar": burst()})
    await ClockCycles(dut.clk, 3)
    dut.rst.value = 1
    offer(dut, {})
    await ClockCycles(dut.clk, 2)
    dut.rst.value = 0
    await ClockCycles(dut.clk, 5)
    assert not monitor.done()


@cocotb.test(timeout_time=10, timeout_unit="us")
async def a_model_that_is_always_ready_is_held_to_its_memory(dut):
    """Not only what a script says was ready: the handshake of a model of others."""
    await begin(dut)
    AxiRam(AxiBus.from_prefix(dut, PORT), dut.clk, dut.rst, size=MEMORY_BYTES)
    dut.rst.value = 0
    await ClockCycles(dut.clk, 3)
    offer(dut, {"ar": burst(0, 1, burst=2)})  # It knows such bursts.
    with pytest.raises(AxiRuleError, match="a burst is not INCR"):
        await monitor_manager(dut, PORT)
