"""Cocotb bench: a striped reader of two ports on memories that pause at random."""

import itertools
import random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge
from cocotbext.axi import AxiRamRead, AxiReadBus

BASES = [0x1000, 0x5400]
RUNS = [(0, 300), (1000, 1), (37, 64), (500, 700)]
COMMAND_ADDRESS_WIDTH, BASE_WIDTH = 28, 28


def pauses(seed):
    generator = random.Random(seed)
    return (generator.random() < 0.4 for _ in itertools.count())


async def command(dut):
    for start, count in RUNS:
        dut.i_command_payload.value = start | count << COMMAND_ADDRESS_WIDTH
        dut.i_command_valid.value = 1
        await RisingEdge(dut.clk)
        while not dut.i_command_ready.value:
            await RisingEdge(dut.clk)
        dut.i_command_valid.value = 0


async def collect(dut, count):
    generator, words = random.Random(9), []
    while len(words) < count:
        dut.o_ready.value = generator.random() < 0.7
        await RisingEdge(dut.clk)
        if dut.o_valid.value and dut.o_ready.value:
            words.append(int(dut.o_payload.value))
    return words


@cocotb.test(timeout_time=200, timeout_unit="us")
async def words_join_two_paused_memories(dut):
    Clock(dut.clk, 4, "ns").start()
    dut.rst.value = 1
    dut.clear.value = 0
    dut.i_command_valid.value = 0
    dut.o_ready.value = 0
    dut.base.value = sum(base // 16 << BASE_WIDTH * port for port, base in enumerate(BASES))
    memories, contents = [], []
    for port, base in enumerate(BASES):
        bus = AxiReadBus.from_prefix(dut, f"axi{port}")
        memory = AxiRamRead(bus, dut.clk, dut.rst, size=2**16)
        memory.ar_channel.set_pause_generator(pauses(port))
        memory.r_channel.set_pause_generator(pauses(10 + port))
        content = random.Random(port).randbytes(16 * 1300)
        memory.write(base, content)
        memories.append(memory)
        contents.append(content)
    await ClockCycles(dut.clk, 5)
    dut.rst.value = 0
    await ClockCycles(dut.clk, 3)
    places = [start + index for start, count in RUNS for index in range(count)]
    cocotb.start_soon(command(dut))
    words = await collect(dut, len(places))
    for place, word in zip(places, words, strict=True):
        parts = [content[16 * place : 16 * place + 16] for content in contents]
        assert word.to_bytes(32, "little") == b"".join(parts)
    await ClockCycles(dut.clk, 3)
    assert not dut.busy.value
    assert dut.errors.value == 0
