"""Cocotb bench: all channels and both writers at once on memories that pause at random."""

import random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge
from cocotbext.axi import AxiBus, AxiRam

from tercel_hw.top import ACCELERATORS
from tercel_sim.cocotb_streams import get, idle, pauses, put

CONFIG = ACCELERATORS["tiny"]
PORTS, SIZE, WORD_BYTES = CONFIG.ports, CONFIG.port_bytes, CONFIG.word_bytes
BASES = [0x1000, 0x9040]
CHANNELS, ASKERS = 5, 2
WORDS, WRITTEN = 1000, 300
"""Words of the memory, of which the last so many are written, and only the others read."""


def read_runs(generator, total=200):
    """Runs of one channel."""
    runs = []
    while total > 0:
        words = min(total, generator.choice([1, 2, 16, 17, generator.randrange(3, 120)]))
        runs.append((generator.randrange(WORDS - WRITTEN - words), words))
        total -= words
    return runs


def write_runs(generator, asker):
    """Runs of granules, each asker's in its half of what is written."""
    first = (WORDS - WRITTEN + asker * WRITTEN // ASKERS) * PORTS
    end = first + WRITTEN // ASKERS * PORTS
    while True:
        first += generator.randrange(4)
        granules = generator.choice([1, 2, 3, generator.randrange(1, 90)])
        if first + granules > end:
            return
        yield first, granules
        first += granules


def write_golden(content, runs, granules):
    """Apply the written bytes to the expected content, in place."""
    places = (first + index for first, count in runs for index in range(count))
    for place, (strobe, written) in zip(places, granules, strict=True):
        for byte in range(SIZE):
            if strobe >> byte & 1:
                content[place * SIZE + byte] = written >> 8 * byte & 255


def part(content, port):
    """The bytes of a port."""
    return b"".join(content[at : at + SIZE] for at in range(port * SIZE, len(content), WORD_BYTES))


async def read(dut, channel, content):
    """Run a channel; its words must be those of the memory."""
    generator = random.Random(channel)
    runs = read_runs(generator)
    runs_in = [first | words << 32 for first, words in runs]
    feed = cocotb.start_soon(put(dut, f"i_run{channel}", runs_in, pauses(0.2, seed=40 + channel)))
    # The later channels are the slower consumers.
    taking = pauses(0.2 * channel, seed=50 + channel)
    words = await get(dut, f"o_word{channel}", sum(count for _, count in runs), taking)
    await feed
    places = (first + index for first, count in runs for index in range(count))
    for place, word in zip(places, words, strict=True):
        wanted = content[place * WORD_BYTES : (place + 1) * WORD_BYTES]
        assert int(word).to_bytes(WORD_BYTES, "little") == wanted


async def write(dut, asker, content):
    """Run an asker and tell the golden memory."""
    generator = random.Random(10 + asker)
    runs = list(write_runs(generator, asker))
    total = sum(count for _, count in runs)
    strobes = [generator.choice([255, 255, 0, generator.getrandbits(8)]) for _ in range(total)]
    granules = [(strobe, generator.getrandbits(8 * SIZE)) for strobe in strobes]
    width = len(dut.i_command0_payload) - CONFIG.writer.writer.burst.count_width
    runs_in = [first | count << width for first, count in runs]
    feed = cocotb.start_soon(put(dut, f"i_command{asker}", runs_in, pauses(0.3, seed=60 + asker)))
    sent = [written | strobe << 8 * SIZE for strobe, written in granules]
    await put(dut, f"i{asker}", sent, pauses(0.3, seed=70 + asker))
    await feed
    write_golden(content, runs, granules)


@cocotb.test(timeout_time=500, timeout_unit="us")
async def channels_and_writers_share_the_ports(dut):
    Clock(dut.clk, 4, "ns").start()
    dut.rst.value = 1
    for name in ("clear", "flush", "restart"):
        getattr(dut, name).value = 0
    dut.base.value = sum(base << len(dut.base) // PORTS * at for at, base in enumerate(BASES))
    runs, askers = [f"i_run{at}" for at in range(CHANNELS)], range(ASKERS)
    words = [f"o_word{at}" for at in range(CHANNELS)]
    writers = [f"{name}{at}" for name in ("i", "i_command") for at in askers]
    idle(dut, inputs=runs + writers, outputs=words)
    content = bytearray(random.Random(0).randbytes(WORDS * WORD_BYTES))
    memories = []
    for port, base in enumerate(BASES):
        memory = AxiRam(AxiBus.from_prefix(dut, f"axi{port}"), dut.clk, dut.rst, size=2**17)
        reads, writes = memory.read_if, memory.write_if
        channels = [reads.ar_channel, reads.r_channel]
        channels += [writes.aw_channel, writes.w_channel, writes.b_channel]
        for index, channel in enumerate(channels):
            channel.set_pause_generator(pauses(0.3, seed=5 * port + index))
        memory.write(base, part(content, port))
        memories.append(memory)
    await ClockCycles(dut.clk, 5)
    dut.rst.value = 0
    await ClockCycles(dut.clk, 3)
    tasks = [cocotb.start_soon(read(dut, channel, content)) for channel in range(CHANNELS)]
    tasks += [cocotb.start_soon(write(dut, asker, content)) for asker in askers]
    for task in tasks:
        await task
    await RisingEdge(dut.clk)
    while dut.writing.value:
        await RisingEdge(dut.clk)
    await ClockCycles(dut.clk, 2)
    assert dut.quiet.value
    for port, base in enumerate(BASES):
        assert memories[port].read(base, WORDS * SIZE) == part(content, port)
    assert dut.read_errors.value == 0
    assert dut.write_errors.value == 0
