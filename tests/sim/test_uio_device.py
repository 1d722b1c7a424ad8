"""Models behind UIO and u-dma-buf: the emulator's bits, and what a user can meet."""

import json
import subprocess
import sys

import pytest
from hardware_pair import TOKENS, Pair

from tercel.device import Timing
from tercel.errors import TercelError
from tercel.hardware.overlay_files import OverlayFiles
from tercel.hardware.timer import HostTimer
from tercel.hardware.uio_buffer import UioPortBuffer
from tercel.hardware.uio_device import UioDevice
from tercel_sim.rtl_library import rtl_library
from tercel_sim.simulated_machine import SimulatedMachine
from tercel_sim.simulated_overlay import write_overlay
from tercel_sim.simulated_system import SimulatedSystem


@pytest.fixture
def system(four_lanes, tmp_path):
    machine = SimulatedMachine(rtl_library(four_lanes))
    yield SimulatedSystem(tmp_path, machine)
    machine.board.close()


@pytest.fixture
def files(four_lanes, tmp_path):
    return OverlayFiles(write_overlay(tmp_path / "overlay", four_lanes, clock_mhz=250.0))


@pytest.fixture
def image(random_images, little_model, four_lanes):
    return random_images(little_model, four_lanes, 1)


@pytest.fixture
def open_device(system, files, image, tmp_path):
    def make(**options):
        return UioDevice(image, files, system=system, locks=tmp_path, **options)

    return make


@pytest.fixture
def pair(open_device, image):
    pair = Pair(open_device(watchdog=10e-6, timeout=5e-3), image)
    yield pair
    pair.hardware.close()


def test_passes_have_the_emulators_bits(pair):
    pair.step(TOKENS[:3])
    pair.works()


@pytest.mark.parametrize("missing", ["flush", "invalidate"])
def test_a_missing_flush_or_invalidate_gives_wrong_bits(pair, monkeypatch, missing):
    pair.step(TOKENS[:3])
    monkeypatch.setattr(UioPortBuffer, missing, lambda self, first, size: None)
    with pytest.raises((AssertionError, TercelError)):
        pair.works()


def test_its_facts_are_of_a_simulation_and_of_the_overlay(open_device, files, monkeypatch):
    device = open_device()
    facts = device.facts()
    assert (facts.timing, device.simulation_seconds) == (Timing.SIMULATED, None)
    assert facts.clock_hz.value == pytest.approx(250e6, rel=0.01)
    assert facts.overlay_sha256.note in ("tercel.bit", "tercel.bit.bin")
    monkeypatch.setattr(device.board, "timer", HostTimer())  # as on a board
    facts = device.facts()
    assert (facts.timing, device.simulation_seconds) == (Timing.BOARD, 0)
    device.close()


def test_a_fault_of_the_memory_leaves_the_cache(pair, system):
    pair.step(TOKENS[:3])
    system.machine.board.fail_read(1, beats=77, response=2)
    pair.fails("reported the errors tape1 and was reset; the cache is as before")
    pair.works()


def test_an_accelerator_that_is_not_loaded(system, open_device):
    system.path("sys/class/uio/uio4/maps/map0/addr").write_text("0xa1000000\n")
    with pytest.raises(TercelError, match=r"is loaded at 0xa0000000: .*xmutil loadapp tercel"):
        open_device()


def test_memory_that_is_missing_or_too_small(system, open_device):
    size = system.path("sys/class/u-dma-buf/udmabuf0/size")
    size.write_text("8192\n")
    message = (
        r"needs 1 MiB of memory, but udmabuf0 has 1 MiB: `modprobe .* udmabuf0=\d+`, with cma="
    )
    with pytest.raises(TercelError, match=message):
        open_device()
    size.unlink()
    with pytest.raises(TercelError, match="there is no memory udmabuf0 of the driver u-dma-buf"):
        open_device()


def test_a_sidecar_without_a_board(files, open_device):
    facts = json.loads(files.sidecar.read_text())
    del facts["board"]
    files.sidecar.write_text(json.dumps(facts))
    with pytest.raises(TercelError, match="not say where the registers lie; write it with"):
        open_device()


HOLDER = """
import sys
from pathlib import Path
from tercel.hardware.board_lock import BoardLock
lock = BoardLock("pl", folder=Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_the_second_process_is_told_who_holds_the_board(open_device, tmp_path):
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(TercelError, match=rf"held by process {holder.pid} \(.*python.* -c"):
            open_device()
        holder.stdin.close()
        holder.wait(20)
    open_device().close()


def test_a_wrong_clock_is_named(four_lanes, open_device, files):
    write_overlay(files.path.parent, four_lanes, clock_mhz=300.0)
    with pytest.raises(TercelError, match=r"at 250.0 MHz, but .* for 300.0 MHz, so .* 1.20 times"):
        open_device()


def test_memory_that_the_ports_do_not_reach_is_named(system, open_device):
    """The addresses of another memory, as a wrong address map has them."""
    address = system.path("sys/class/u-dma-buf/udmabuf0/phys_addr")
    address.write_text("0x70000000\n")
    with pytest.raises(TercelError, match=r"cannot run a program from its memory \(errors tape0"):
        open_device()
