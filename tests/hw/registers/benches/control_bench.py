"""Cocotb bench: the driver's side of the registers."""

import itertools
import random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge
from cocotbext.axi import AxiLiteBus, AxiLiteMaster

CONTROL, STATUS, ERROR, WATCHDOG, PROGRAM, CYCLES = 0x10, 0x14, 0x18, 0x24, 0x28, 0x40


def pauses(seed):
    generator = random.Random(seed)
    return (generator.random() < 0.4 for _ in itertools.count())


async def machine(dut, cycles):
    await RisingEdge(dut.start)
    await RisingEdge(dut.clk)
    dut.busy.value = 1
    await ClockCycles(dut.clk, cycles)
    dut.busy.value = 0


@cocotb.test(timeout_time=100, timeout_unit="us")
async def a_driver_runs_a_pass(dut):
    Clock(dut.clk, 4, "ns").start()
    dut.rst.value = 1
    for port in (dut.busy, dut.progress, dut.errors, dut.events):
        port.value = 0
    master = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "bus"), dut.clk, dut.rst)
    write, read = master.write_if, master.read_if
    channels = [write.aw_channel, write.w_channel, write.b_channel, read.ar_channel, read.r_channel]
    for seed, channel in enumerate(channels):
        channel.set_pause_generator(pauses(seed))
    await ClockCycles(dut.clk, 5)
    dut.rst.value = 0
    await ClockCycles(dut.clk, 3)
    assert (await master.read(0, 4)).data == b"LCRT"
    await master.write_qword(PROGRAM, 0x123456789A)
    assert await master.read_qword(PROGRAM) == 0x123456789A
    assert dut.program_address.value == 0x123456789A
    await master.write(WATCHDOG + 1, b"\x77")
    assert await master.read_dword(WATCHDOG) == 1 << 24 | 0x7700
    task = cocotb.start_soon(machine(dut, 50))
    await master.write_dword(CONTROL, 1)
    await task
    await ClockCycles(dut.clk, 2)
    assert await master.read_dword(STATUS) == 2
    assert await master.read_qword(CYCLES) == 50
    dut.errors.value = 4
    await RisingEdge(dut.clk)
    dut.errors.value = 0
    assert await master.read_dword(ERROR) == 4
    assert await master.read_dword(STATUS) == 6
    await master.write_dword(ERROR, 4)
    assert await master.read_dword(STATUS) == 2
