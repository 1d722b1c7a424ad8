"""Cocotb bench: a writer on a memory that pauses at random."""

import itertools
import random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge
from cocotbext.axi import AxiRamWrite, AxiWriteBus

RUNS = [(8, 300), (1000, 1), (400, 64), (500, 129)]
COMMAND_ADDRESS_WIDTH = 36


def pauses(seed):
    generator = random.Random(seed)
    return (generator.random() < 0.4 for _ in itertools.count())


async def put(dut, stream, values, seed):
    generator = random.Random(seed)
    payload, valid = getattr(dut, f"{stream}_payload"), getattr(dut, f"{stream}_valid")
    ready = getattr(dut, f"{stream}_ready")
    for value in values:
        while generator.random() < 0.3:
            await RisingEdge(dut.clk)
        payload.value = value
        valid.value = 1
        await RisingEdge(dut.clk)
        while not ready.value:
            await RisingEdge(dut.clk)
        valid.value = 0


@cocotb.test(timeout_time=200, timeout_unit="us")
async def runs_reach_a_paused_memory(dut):
    Clock(dut.clk, 4, "ns").start()
    dut.rst.value = 1
    dut.clear.value = 0
    dut.i_valid.value = 0
    dut.i_command_valid.value = 0
    memory = AxiRamWrite(AxiWriteBus.from_prefix(dut, "axi"), dut.clk, dut.rst, size=2**16)
    for seed, channel in enumerate((memory.aw_channel, memory.w_channel, memory.b_channel)):
        channel.set_pause_generator(pauses(seed))
    await ClockCycles(dut.clk, 5)
    dut.rst.value = 0
    await ClockCycles(dut.clk, 3)
    generator = random.Random(4)
    beats = [generator.getrandbits(128) for _ in range(sum(count for _, count in RUNS))]
    runs = [start | count << COMMAND_ADDRESS_WIDTH for start, count in RUNS]
    feed = cocotb.start_soon(put(dut, "i", beats, 5))
    await put(dut, "i_command", runs, 6)
    await feed
    while dut.busy.value:
        await RisingEdge(dut.clk)
    places = [start + index for start, count in RUNS for index in range(count)]
    for place, beat in zip(places, beats, strict=True):
        assert memory.read(16 * place, 16) == beat.to_bytes(16, "little")
    assert dut.error.value == 0
