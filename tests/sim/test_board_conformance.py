"""Every board keeps the same rules: the suite of ``conformance`` on each of them."""

import conformance
import pytest

from tercel.hardware.hardware_board import HardwareBoard
from tercel.hardware.port_buffer import PortBuffer
from tercel_sim.ddr import DDR
from tercel_sim.rtl_library import rtl_library
from tercel_sim.simulated_machine import SimulatedMachine
from tercel_sim.verilator_board import VerilatorBoard

WORDS = 4096


class MachineBuffer(PortBuffer):
    """A buffer of a simulated machine, as it is."""

    def __init__(self, cached):
        self.content, self.address = cached.content, cached.address
        self.flush, self.invalidate = cached.flush, cached.invalidate

    flush = invalidate = close = lambda self, *_: None


class MachineInterrupt:
    def __init__(self, machine):
        self.wait = machine.wait_interrupt

    def close(self):
        pass


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


def verilated(library, config):
    return VerilatorBoard(library, words=WORDS, ddr=DDR["ideal"])


def interrupting(library, config):
    return hardware(library, config)[1]


def polling(library, config):
    return hardware(library, config, interrupt=False)[1]


@pytest.fixture(scope="module", params=[verilated, interrupting, polling])
def board(request, four_lanes):
    made = request.param(rtl_library(four_lanes), four_lanes)
    yield made
    made.close()


@pytest.mark.parametrize("check", conformance.CHECKS, ids=lambda check: check.__name__)
def test_the_rules_of_boards(check, board, four_lanes):
    check(board, four_lanes.spec)
