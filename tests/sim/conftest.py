import shutil
from dataclasses import replace

import pytest
from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from little_model import LITTLE_MODEL
from memory_probe import MemoryProbe, build_probe

from tercel.device.emulator import EmulatorDevice
from tercel.image import Image, random_image
from tercel_hw.emission import emit_verilog
from tercel_hw.memory import (
    Axi4LiteSignature,
    Axi4Signature,
    AxiConfig,
    AxiReader,
    AxiWriter,
    BurstConfig,
    ReaderConfig,
    WriterConfig,
    connect_channels,
)
from tercel_hw.registers import Access, Field, Register, RegisterFile, RegisterMap
from tercel_hw.top import ACCELERATORS
from tercel_sim import rtl_library as emission
from tercel_sim.ddr import DDR
from tercel_sim.lockstep import Lockstep
from tercel_sim.rtl_device import RtlDevice
from tercel_sim.rtl_library import rtl_library
from tercel_sim.verilator import LibraryConfig, build_library
from tercel_sim.verilator_board import VerilatorBoard

CYCLE = 1 / 250e6
"""Seconds, at the clock of the memory presets."""

PORTS = 4
"""Ports that have a base register and a bit in ``ports``, whether or not they exist."""
BITS = {
    "control": (Access.PULSE, ("copy", "read", "write")),
    "status": (Access.RO, ("busy",)),
    "trouble": (Access.RW, ("hold", "fixed", "deaf", "sparse")),
}
NUMBERS = {
    "source": Access.RW,
    "target": Access.RW,
    "beats": Access.RW,
    "ports": Access.RW,
    "latency": Access.RO,
    "errors": Access.RO,
} | {f"base{port}": Access.RW for port in range(PORTS)}
OFFSETS = {name: 0x10 + 4 * index for index, name in enumerate((*BITS, *NUMBERS))}


def registers():
    """``control`` and ``status`` lie where the accelerator has them."""
    described = []
    for name, (access, bits) in BITS.items():
        fields = tuple(Field(name=bit, bit=i, description=bit) for i, bit in enumerate(bits))
        described.append((name, access, fields))
    described += [(name, access, ()) for name, access in NUMBERS.items()]
    return RegisterMap(
        name="copier",
        description="Registers of the copier.",
        registers=tuple(
            Register(name=n, offset=OFFSETS[n], access=a, fields=f, description=n)
            for n, a, f in described
        ),
    )


class Copier(wiring.Component):
    """On every port copies, only reads or only writes runs of beats; can misbehave if asked to.

    Beats that are not read are numbered instead.
    """

    def __init__(self, *, ports, data_width):
        self.burst = BurstConfig(
            axi=AxiConfig(address_width=32, data_width=data_width), max_beats=32
        )
        super().__init__(
            {
                "s_axi_control": In(Axi4LiteSignature(address_width=registers().address_width)),
                "m_axi_mem": Out(Axi4Signature(self.burst.axi)).array(ports),
                "irq": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.file = file = RegisterFile(registers=registers())
        connect(m, flipped(self.s_axi_control), file.bus)
        with m.If(file.trouble.deaf):
            m.d.comb += [self.s_axi_control.arready.eq(0), file.bus.arvalid.eq(0)]
        control, status = file.control, file.status
        start, copying, busy = Signal(), Signal(), Signal()
        parts = [self.port(m, file, port, copying) for port in range(len(self.m_axi_mem))]
        m.d.sync += busy.eq(start | Cat(busy for busy, _ in parts).any())
        m.d.comb += [
            start.eq(control.as_value().any()),
            status.busy.eq(busy),
            file.errors.eq(Cat(errors for _, errors in parts)),
        ]
        with m.If(start):
            m.d.sync += [copying.eq(control.copy), self.irq.eq(0)]
        with m.Elif(busy & ~Cat(busy for busy, _ in parts).any()):
            m.d.sync += self.irq.eq(1)
        self.measure(m, file, start)
        return m

    def port(self, m, file, port, copying):
        """A reader and a writer of a port; returns their busy and their errors."""
        axi, control = self.m_axi_mem[port], file.control
        reader = AxiReader(config=ReaderConfig(burst=self.burst, buffer_beats=256))
        writer = AxiWriter(config=WriterConfig(burst=self.burst))
        m.submodules[f"reader{port}"], m.submodules[f"writer{port}"] = reader, writer
        connect_channels(m, axi, reader.axi, writer.axi)
        with m.If(file.trouble.hold):
            m.d.comb += [axi.rready.eq(0), reader.axi.rvalid.eq(0)]
        with m.If(file.trouble.fixed):
            m.d.comb += axi.arburst.eq(0)
        with m.If(file.trouble.sparse):
            m.d.comb += axi.wstrb.eq(Const(0b10, 2).replicate(len(axi.wstrb) // 2))
        starts = (control.copy | control.read, control.copy | control.write)
        for part, start, place in zip(
            (reader, writer), starts, (file.source, file.target), strict=True
        ):
            run = part.i_command
            with m.If(start & file.ports[port]):
                m.d.sync += run.valid.eq(1)
            with m.Elif(run.ready):
                m.d.sync += run.valid.eq(0)
            base = getattr(file, f"base{port}")
            m.d.comb += [run.payload.address.eq(base + place), run.payload.beats.eq(file.beats)]
        beat = Signal(64)
        with m.If(copying):
            connect(m, reader.o, writer.i)
        with m.Else():
            m.d.comb += [reader.o.ready.eq(1), writer.i.payload.eq(beat)]
            m.d.comb += writer.i.valid.eq(writer.busy & (beat != file.beats))
        with m.If(starts[1]):
            m.d.sync += beat.eq(0)
        with m.Elif(writer.i.valid & writer.i.ready):
            m.d.sync += beat.eq(beat + 1)
        waiting = reader.i_command.valid | writer.i_command.valid
        return reader.busy | writer.busy | waiting, Cat(reader.error, writer.error)

    def measure(self, m, file, start):
        """Cycles from the first request on port 0 to the first offer of a beat."""
        axi, since = self.m_axi_mem[0], Signal(16)
        with m.If(start):
            m.d.sync += [since.eq(0), file.latency.eq(0)]
        with m.Elif(since | (axi.arvalid & axi.arready)):
            m.d.sync += since.eq(since + 1)
        with m.If(axi.rvalid & (file.latency == 0)):
            m.d.sync += file.latency.eq(since)


@pytest.fixture
def replace_emission(monkeypatch):
    """Has accelerators emitted by a function of a configuration and the name of the top."""

    def replace(emit):
        monkeypatch.setattr(emission, "Accelerator", lambda config: config)
        monkeypatch.setattr(emission, "RegisteredReset", lambda design: design)
        monkeypatch.setattr(emission, "emit_verilog", emit)

    return replace


@pytest.fixture(scope="session")
def copier_verilog():
    """Two ports."""
    return emit_verilog(Copier(ports=2, data_width=64), "copier")


@pytest.fixture(scope="session")
def library(verilator, copier_verilog):
    """Two ports, with waves."""
    config = LibraryConfig(ports=2, data_width=64, top="copier", waves=True)
    return build_library(copier_verilog, config=config)


@pytest.fixture(scope="session")
def wide_library(verilator):
    """The ports of a kv260, without waves."""
    config = LibraryConfig(ports=4, data_width=128, top="copier")
    return build_library(emit_verilog(Copier(ports=4, data_width=128), "copier"), config=config)


class Driver:
    """Starts the copier on a board."""

    def __init__(self, board):
        self.board = board

    def set(self, name, value):
        self.board.write_register(OFFSETS[name], value)

    def get(self, name):
        return self.board.read_register(OFFSETS[name])

    def trouble(self, name):
        self.set("trouble", 1 << BITS["trouble"][1].index(name))

    def start(self, what, beats, *, source=0, target=0, ports=~0):
        """Addresses in words of the board; beats of each port; a bit for each port."""
        for port, base in enumerate(self.board.bases):
            self.set(f"base{port}", base // self.board.port_bytes)
        self.set("ports", ports & (1 << self.board.ports) - 1)
        for name, value in (("source", source), ("target", target), ("beats", beats)):
            self.set(name, value)
        self.set("control", 1 << BITS["control"][1].index(what))

    def run(self, what, beats, *, limit=100_000, **places):
        self.start(what, beats, **places)
        self.board.wait(limit * CYCLE)


@pytest.fixture
def boards(library):
    """Makes boards with the ideal memory, but for what it is told."""
    made = []

    def board(words=4096, ddr=DDR["ideal"], library=library, **changes):
        made.append(VerilatorBoard(library, words=words, ddr=replace(ddr, **changes)))
        return made[-1]

    yield board
    for each in made:
        each.close()


@pytest.fixture
def copier(boards):
    """Makes a driver of the copier on a board."""

    def copier(**options):
        return Driver(boards(**options))

    return copier


CYCLES = 200_000
"""Far more than a pass of the tests' models takes."""


@pytest.fixture(scope="session")
def four_lanes(verilator):
    """The tiny accelerator for passes of four nodes, compiled; what passes are tested on."""
    tiny = ACCELERATORS["tiny"]
    config = replace(tiny, tlmm=replace(tiny.tlmm, nodes=4))
    rtl_library(config)
    return config


@pytest.fixture(scope="session")
def little_model():
    """Two layers that take a pass about three thousand cycles."""
    return LITTLE_MODEL


@pytest.fixture(scope="session")
def random_images(tmp_path_factory):
    """Makes the image of a random model for an accelerator."""
    folder = tmp_path_factory.mktemp("images")

    def make(model, accelerator, seed=1):
        path = folder / f"{abs(hash((model, accelerator.layout, seed)))}.tercel"
        if not path.exists():
            random_image(path, model, layout=accelerator.layout, seed=seed)
        return Image.open(path)

    return make


@pytest.fixture
def rtl_device(random_images):
    """Makes simulated accelerators with an ideal memory, but for what it is told."""
    made = []

    def make(model, accelerator, *, ddr=DDR["ideal"], context=None, watchdog=5000, seed=1):
        device = RtlDevice(
            random_images(model, accelerator, seed),
            accelerator=accelerator,
            context=context,
            ddr=ddr,
            timeout=CYCLES * CYCLE,
            watchdog=watchdog * CYCLE,
        )
        made.append(device)
        return device

    yield make
    for device in made:
        device.board.close()


@pytest.fixture
def lockstep(rtl_device, random_images):
    """Makes simulated accelerators that are compared with the emulator pass by pass."""

    def make(model, accelerator, *, seed=1, **options):
        rtl = rtl_device(model, accelerator, seed=seed, **options)
        image = random_images(model, accelerator, seed)
        limits = rtl.limits
        return Lockstep(rtl, EmulatorDevice(image, nodes=limits.nodes, context=limits.context))

    return make


@pytest.fixture(scope="session")
def probe_library(tmp_path_factory):
    if shutil.which("g++") is None:
        pytest.skip("needs g++")
    return build_probe(tmp_path_factory.mktemp("probe"))


@pytest.fixture
def probe(probe_library):
    """Makes memories of the C++ model, with their pins in the hands of the test."""
    made = []

    def make(**options):
        made.append(MemoryProbe(probe_library, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()
