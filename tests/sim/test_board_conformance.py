"""Every board keeps the same rules: the suite of ``conformance`` on each of them."""

from pathlib import Path

import conformance
import pytest

from tercel.hardware.hardware_board import HardwareBoard
from tercel.hardware.overlay_files import OverlayFiles
from tercel.hardware.port_buffer import PortBuffer
from tercel.hardware.uio_board import UioBoard
from tercel_hw.top import ACCELERATORS
from tercel_sim.ddr import DDR
from tercel_sim.rtl_library import rtl_library, rtl_verilog
from tercel_sim.simulated_machine import MachineInterrupt, SimulatedMachine
from tercel_sim.simulated_overlay import write_overlay
from tercel_sim.simulated_system import SimulatedSystem
from tercel_sim.verilator_board import VerilatorBoard

WORDS = 4096


class MachineBuffer(PortBuffer):
    """A buffer of a simulated machine, as it is."""

    def __init__(self, cached):
        self.content, self.address = cached.content, cached.address
        self.flush, self.invalidate = cached.flush, cached.invalidate

    flush = invalidate = close = lambda self, *_: None


def hardware(library, config, **options):
    layout = config.spec.layout
    machine = SimulatedMachine(library, memory_bytes=WORDS * layout.word_bytes)
    buffers = [
        MachineBuffer(machine.allocate(WORDS * layout.port_bytes)) for _ in range(layout.ports)
    ]
    interrupt = MachineInterrupt(machine) if options.pop("interrupt", True) else None
    return machine, HardwareBoard(
        machine,
        buffers,
        port_bytes=layout.port_bytes,
        words=WORDS,
        clock_hz=machine.clock_hz,
        interrupt=interrupt,
        timer=machine,
        **options,
    )


def verilated(library, config, folder):
    return VerilatorBoard(library, words=WORDS, ddr=DDR["ideal"])


def interrupting(library, config, folder):
    return hardware(library, config)[1]


def polling(library, config, folder):
    return hardware(library, config, interrupt=False)[1]


def uio(library, config, folder):
    machine = SimulatedMachine(library)
    overlay = write_overlay(folder, config, clock_mhz=machine.clock_hz / 1e6)
    system = SimulatedSystem(folder, machine)
    return UioBoard(OverlayFiles(overlay), words=WORDS, system=system, locks=folder)


@pytest.fixture(scope="module", params=[verilated, interrupting, polling, uio])
def board(request, four_lanes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("board")
    made = request.param(rtl_library(four_lanes), four_lanes, folder)
    yield made
    made.close()


@pytest.mark.parametrize("check", conformance.CHECKS, ids=lambda check: check.__name__)
def test_the_rules_of_boards(check, board, four_lanes):
    check(board, four_lanes.spec)


@pytest.mark.slow
def test_the_rules_of_boards_in_a_bench(bench):
    """The board of a cocotb bench; some minutes, since each rule takes thousands of cycles."""
    verilog = rtl_verilog(ACCELERATORS["tiny"])
    bench(verilog, Path(__file__).parent / "benches" / "conformance_bench.py", top="tercel")
