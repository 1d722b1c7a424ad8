"""Cocotb bench: streams go in, what is written to memories that pause at random is compared."""

import json
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge
from cocotbext.axi import AxiRamWrite, AxiWriteBus

from tercel_sim.cocotb_streams import get, idle, pauses, put

BASES = [0x1000, 0x7040]


def parts(content, size):
    """The bytes of each port."""
    granules = [content[at : at + size] for at in range(0, len(content), size)]
    return [b"".join(granules[port :: len(BASES)]) for port in range(len(BASES))]


@cocotb.test(timeout_time=200, timeout_unit="us")
async def all_that_is_told_is_written_and_nothing_else(dut):
    job = json.loads(Path(str(cocotb.plusargs["job"])).read_text())
    before, after = (bytes.fromhex(job[name]) for name in ("before", "after"))
    size = len(dut.axi0_wdata) // 8
    shift, width = (size - 1).bit_length(), len(dut.base) // len(BASES)
    Clock(dut.clk, 4, "ns").start()
    dut.rst.value = 1
    dut.clear.value = 0
    dut.base.value = sum(base >> shift << width * port for port, base in enumerate(BASES))
    idle(dut, inputs=job["streams"], outputs=["o_done"])
    memories = []
    for port, content in enumerate(parts(before, size)):
        bus = AxiWriteBus.from_prefix(dut, f"axi{port}")
        memory = AxiRamWrite(bus, dut.clk, dut.rst, size=2**16)
        channels = (memory.aw_channel, memory.w_channel, memory.b_channel)
        for index, channel in enumerate(channels):
            channel.set_pause_generator(pauses(0.4, seed=3 * port + index))
        memory.write(BASES[port], content)
        memories.append(memory)
    await ClockCycles(dut.clk, 5)
    dut.rst.value = 0
    await ClockCycles(dut.clk, 3)
    feeds = [
        cocotb.start_soon(put(dut, name, payloads, pauses(0.3, seed=20 + index)))
        for index, (name, payloads) in enumerate(job["streams"].items())
    ]
    await get(dut, "o_done", len(job["streams"]["i_command"]), pauses(0.5, seed=9))
    for feed in feeds:
        await feed
    await ClockCycles(dut.clk, 2)
    while dut.busy.value:
        await RisingEdge(dut.clk)
    for port, content in enumerate(parts(after, size)):
        assert memories[port].read(BASES[port], len(content)) == content
    assert dut.errors.value == 0
