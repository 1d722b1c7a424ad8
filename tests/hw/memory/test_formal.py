"""Bounded model checks: every input of the first cycles after reset, by a SAT solver."""

import importlib.util
import subprocess
import sys

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Assert, Assume, Module, Mux, ResetSignal, Signal, Value

from tercel_hw.memory import (
    AxiConfig,
    AxiReader,
    BurstConfig,
    BurstSplitter,
    FetchChannel,
    FetchConfig,
    FifoConfig,
    ReaderConfig,
    StreamFifo,
    StripedConfig,
    StripedWriterConfig,
    WriteMerge,
    WriterConfig,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("pyosys") is None, reason="pyosys is not installed"
    ),
]
SCRIPT = """
import sys
from pyosys import libyosys

design = libyosys.Design()
for command in (
    "read_rtlil " + sys.argv[1],
    "prep -top top -flatten",
    "async2sync",
    "chformal -lower",
    "memory_map",
    "opt",
    "sat -tempinduct-baseonly -maxsteps " + sys.argv[2] + " -prove-asserts -set-assumes -verify",
):
    libyosys.run_pass(command, design)
"""


def check(tmp_path, m, ports, cycles):
    """Check the assertions of ``m`` for so many cycles; True if none can fail."""
    ports = [Value.cast(port) for port in ports]
    (tmp_path / "top.il").write_text(rtlil.convert(m, ports=ports, emit_src=False))
    command = [sys.executable, "-c", SCRIPT, "top.il", str(cycles)]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    log = run.stdout + run.stderr
    held, failed = "Reached maximum number of time steps" in log, "model found for base case" in log
    assert held != failed, log[-2000:]
    return held


def bench():
    """A module that is not reset again."""
    m = Module()
    m.d.comb += Assume(~ResetSignal())
    return m


def steady(m, signal):
    """Let an input keep its first value."""
    first, kept = Signal(init=1), Signal.like(signal)
    m.d.sync += [first.eq(0), kept.eq(signal)]
    m.d.comb += Assume(first | (signal == kept))


def patient(m, stream, claim):
    """Claim that what a stream offers stays until it is taken."""
    waited, payload = Signal(), Signal.like(Value.cast(stream.payload))
    m.d.sync += [waited.eq(stream.valid & ~stream.ready), payload.eq(stream.payload)]
    m.d.comb += claim(~waited | (stream.valid & (Value.cast(stream.payload) == payload)))


def fifo_bench(read_latency, broken):
    m = bench()
    style = None if read_latency else "distributed"
    config = FifoConfig(width=2, depth=3, read_latency=read_latency, ram_style=style)
    m.submodules.fifo = fifo = StreamFifo(config=config)
    pick = Signal(3)
    steady(m, pick)
    entered, left, kept = Signal(4), Signal(4), Signal(2)
    patient(m, fifo.o, Assert)
    with m.If(fifo.i.valid & fifo.i.ready):
        m.d.sync += entered.eq(entered + 1)
        with m.If(entered == pick):
            m.d.sync += kept.eq(fifo.i.payload)
    with m.If(fifo.o.valid & fifo.o.ready):
        m.d.sync += left.eq(left + 1)
        with m.If(left == pick):
            m.d.comb += Assert(fifo.o.payload == (kept ^ 1 if broken else kept))
    m.d.comb += [Assert(fifo.level == (entered - left)[:4]), Assert(fifo.level <= config.capacity)]
    return m, [fifo.i.valid, fifo.i.payload, fifo.o.ready, pick]


@pytest.mark.parametrize("read_latency", [0, 1, 2])
def test_the_fifo_keeps_order(tmp_path, read_latency):
    assert check(tmp_path, *fifo_bench(read_latency, broken=False), cycles=14)


def test_a_wrong_fifo_would_be_found(tmp_path):
    assert not check(tmp_path, *fifo_bench(1, broken=True), cycles=14)


def splitter_bench(broken):
    m = bench()
    axi = AxiConfig(address_width=12, data_width=1024)
    m.submodules.splitter = splitter = BurstSplitter(
        config=BurstConfig(axi=axi, max_beats=4, count_width=4)
    )
    run, burst = splitter.i.payload, splitter.o.payload
    patient(m, splitter.o, Assert)
    address, left = Signal(5), Signal(5)
    queued, next_address, next_left = Signal(), Signal(5), Signal(5)
    length, rest = Signal(5), Signal(5)
    taken, gone = Signal(), Signal()
    m.d.comb += [
        taken.eq(splitter.i.valid & splitter.i.ready & (run.beats != 0)),
        gone.eq(splitter.o.valid & splitter.o.ready),
        length.eq(burst.length + 1),
        rest.eq(left - Mux(gone, length, 0)),
        Assert(~taken | ~queued | (rest == 0)),
    ]
    m.d.sync += [left.eq(rest), address.eq(address + Mux(gone, length, 0))]
    with m.If(rest == 0):
        m.d.sync += queued.eq(0)
        with m.If(queued):
            m.d.sync += [address.eq(next_address), left.eq(next_left)]
        with m.Elif(taken):
            m.d.sync += [address.eq(run.address), left.eq(run.beats)]
    with m.If(taken & ((rest != 0) | queued)):
        m.d.sync += [queued.eq(1), next_address.eq(run.address), next_left.eq(run.beats)]
    limit = 3 if broken else 4
    with m.If(splitter.o.valid):
        m.d.comb += [
            Assert(burst.address == address << 7),
            Assert(length <= left),
            Assert(burst.last == (length == left)),
            Assert(address[:2] + length <= limit),
        ]
    return m, [splitter.i.valid, splitter.i.payload, splitter.o.ready]


def test_bursts_cover_their_runs_and_cross_nothing(tmp_path):
    assert check(tmp_path, *splitter_bench(broken=False), cycles=12)


def test_a_wrong_splitter_would_be_found(tmp_path):
    assert not check(tmp_path, *splitter_bench(broken=True), cycles=12)


def reader_bench(broken):
    """A memory that may answer at any time what it was asked for."""
    m = bench()
    burst = BurstConfig(axi=AxiConfig(address_width=12, data_width=32), max_beats=2, count_width=3)
    config = ReaderConfig(burst=burst, outstanding=2, buffer_beats=4)
    m.submodules.reader = reader = AxiReader(config=config)
    axi = reader.axi
    owed, within = Signal(5), Signal(5)
    asked, answered, left = Signal(), Signal(), Signal()
    patient(m, reader.o, Assert)
    m.d.comb += [
        left.eq(reader.o.valid & reader.o.ready),
        asked.eq(axi.arvalid & axi.arready),
        answered.eq(axi.rvalid & axi.rready),
        Assume(~axi.rvalid | (owed != 0)),
        Assert(~axi.rvalid | axi.rready),
        Assert(owed <= (2 if broken else 4)),
        # All that was asked for has room in the FIFO, which is not asked whether it is ready.
        Assert(within <= 4),
        Assert(~axi.arvalid | (axi.arlen <= 1)),
    ]
    m.d.sync += [
        owed.eq(owed + Mux(asked, axi.arlen + 1, 0) - answered),
        within.eq(within + Mux(asked, axi.arlen + 1, 0) - left),
    ]
    ports = [axi.arready, axi.rvalid, axi.rlast, axi.rdata, axi.rresp, reader.o.ready]
    ports += [reader.i_command.valid, reader.i_command.payload, reader.clear]
    return m, ports


def test_the_reader_never_makes_the_memory_wait(tmp_path):
    assert check(tmp_path, *reader_bench(broken=False), cycles=14)


def test_a_wrong_reader_would_be_found(tmp_path):
    assert not check(tmp_path, *reader_bench(broken=True), cycles=14)


def fetch_bench(broken):
    """A reader that may bring at any time what it was asked for."""
    m = bench()
    burst = BurstConfig(axi=AxiConfig(address_width=12, data_width=32), max_beats=2, count_width=3)
    reader = ReaderConfig(burst=burst, outstanding=2, buffer_beats=4)
    striped = StripedConfig(reader=reader, ports=1)
    config = FetchConfig(striped=striped, depth=3, step=2, ram_style=None)
    m.submodules.channel = channel = FetchChannel(config=config)
    run, step = channel.i_command, channel.o_command
    patient(m, step, Assert)
    wanted, owed, held = Signal(6), Signal(6), Signal(6)
    told, asked = Signal(6), Signal(6)
    came, left = Signal(), Signal()
    m.d.comb += [
        told.eq(Mux(run.valid & run.ready, run.payload.beats, 0)),
        asked.eq(Mux(step.valid & step.ready, step.payload.beats, 0)),
        came.eq(channel.i.valid & channel.i.ready),
        left.eq(channel.o.valid & channel.o.ready),
        Assume(~channel.i.valid | (owed != 0)),
        Assume(wanted < 8),
        Assert(~channel.i.valid | channel.i.ready),
        Assert(~channel.o.valid | (held != owed)),
        Assert(held + asked <= (2 if broken else config.depth)),
        Assert(asked <= wanted),
    ]
    m.d.sync += [
        wanted.eq(wanted + told - asked),
        owed.eq(owed + asked - came),
        held.eq(held + asked - left),
    ]
    ports = [run.valid, run.payload, step.ready, channel.i.valid, channel.i.payload]
    return m, [*ports, channel.o.ready]


def test_a_channel_asks_only_for_what_it_has_room_for(tmp_path):
    assert check(tmp_path, *fetch_bench(broken=False), cycles=14)


def test_a_greedy_channel_would_be_found(tmp_path):
    assert not check(tmp_path, *fetch_bench(broken=True), cycles=12)


def merge_bench(broken):
    """Both askers mark their runs and granules; the writer takes what belongs to its run."""
    m = bench()
    burst = BurstConfig(axi=AxiConfig(address_width=12, data_width=32), max_beats=2, count_width=3)
    writer = WriterConfig(burst=burst, buffer_beats=4, strobes=True)
    m.submodules.merge = merge = WriteMerge(config=StripedWriterConfig(writer=writer, ports=1))
    run, granule = merge.o_command, merge.o
    patient(m, run, Assert)
    for index, (command, granules) in enumerate(zip(merge.i_command, merge.i, strict=True)):
        patient(m, command, Assume)
        patient(m, granules, Assume)
        m.d.comb += [
            Assume(command.payload.granule[0] == index),
            Assume(granules.payload.data[0] == index),
        ]
    left, asker, passed = Signal(3), Signal(), Signal()
    m.d.comb += [
        passed.eq(granule.valid & granule.ready),
        Assume(~run.ready | (left == 0)),
        Assume(~granule.ready | (left != 0)),
        Assert(~passed | (granule.payload.data[0] == (0 if broken else asker))),
        Assert(merge.busy == run.valid | (left != 0)),
        Assert(passed == merge.i[0].ready & merge.i[0].valid | merge.i[1].ready & merge.i[1].valid),
    ]
    with m.If(run.valid & run.ready):
        m.d.sync += [left.eq(run.payload.granules), asker.eq(run.payload.granule[0])]
    with m.Elif(passed):
        m.d.sync += left.eq(left - 1)
    ports = [run.ready, granule.ready]
    for stream in (*merge.i_command, *merge.i):
        ports += [stream.valid, stream.payload]
    return m, ports


def test_runs_are_never_mixed(tmp_path):
    assert check(tmp_path, *merge_bench(broken=False), cycles=20)


def test_a_mixed_run_would_be_found(tmp_path):
    assert not check(tmp_path, *merge_bench(broken=True), cycles=16)
