"""The doctor on a simulated accelerator: its checks pass, and each fault is found."""

import json

import numpy as np
import pytest
from build_records import RECORD, write_record

from tercel.config import PRESETS
from tercel.device.accelerator import AcceleratorDevice
from tercel.device.registers import REGISTERS
from tercel.doctor import Selftest, examine_accelerator, selftest
from tercel.errors import TercelError
from tercel.hardware.board_lock import BoardLock
from tercel.hardware.overlay_files import OverlayFiles
from tercel.hardware.uio_board import UioBoard
from tercel.image import Image, random_image
from tercel_sim.ddr import DDR
from tercel_sim.rtl_library import rtl_library
from tercel_sim.selftest_recording import record
from tercel_sim.simulated_machine import SimulatedMachine
from tercel_sim.simulated_overlay import write_overlay
from tercel_sim.simulated_system import SimulatedSystem


@pytest.fixture
def machine(four_lanes):
    machine = SimulatedMachine(rtl_library(four_lanes), ddr=DDR["kv260-15.0"])
    yield machine
    machine.board.close()


@pytest.fixture
def files(four_lanes, tmp_path):
    return OverlayFiles(write_overlay(tmp_path / "overlay", four_lanes, clock_mhz=250.0))


@pytest.fixture
def examine(machine, files, tmp_path):
    """Findings by name."""

    def run(**options):
        def open_board(words):
            system = SimulatedSystem(tmp_path, machine)
            return UioBoard(files, words=words, system=system, locks=tmp_path, check_seconds=1e-5)

        found = list(examine_accelerator(files, open_board, **options))
        return {finding.name: finding for finding in found}

    return run


def test_a_healthy_accelerator_passes(examine):
    found = examine(selftest=True)
    assert {name: finding.level for name, finding in found.items()} == dict.fromkeys(
        ("overlay", "clock", "memory rate", "interrupt", "selftest", "counters"), "ok"
    ) | {"build": "note"}
    assert "runs at 250.00 MHz, built for 250.00" in found["clock"].state
    assert "6 passes equal the emulator bit for bit" in found["selftest"].state


def test_the_rates_are_those_of_the_memory(examine):
    """The head of the tiny accelerator takes a word of 32 bytes every other cycle at most."""
    state = examine()["memory rate"].state
    reading = float(state.split()[1])
    assert 0.5 < reading < 15.0
    each = float(state.split("each ")[1].split()[0])
    assert "all 2 ports together, each" in state
    assert each == pytest.approx(reading / 2, abs=0.01)  # both are rounded


def test_a_low_rate_is_a_warning(examine, files, monkeypatch):
    monkeypatch.setitem(files.board, "memory", {"peak_gbs": 1000})
    finding = examine()["memory rate"]
    assert finding.level == "warning"
    assert "of a peak of 1000 GB/s" in finding.state


@pytest.mark.parametrize(
    ("changes", "level", "state"),
    [
        ({}, "ok", "Vivado 2023.2, 250.00 MHz, timing met, slack of setup +0.020 (WNS)"),
        (
            {"met": False, "tries": RECORD["tries"][:1]},
            "warning",
            "timing was not met, slack of setup -0.204",
        ),
        ({"verilog_sha256": "cd"}, "failure", "it is of other Verilog than the sidecar"),
        ({"tries": []}, "warning", "contradicts itself"),
    ],
)
def test_the_record_of_the_build_is_shown(files, changes, level, state):
    sidecar = json.loads(files.sidecar.read_text())
    files.sidecar.write_text(json.dumps(sidecar | {"sha256": RECORD["verilog_sha256"]}))
    write_record(files.path.with_name("tercel_build.json"), **changes)

    def closed(words):
        raise TercelError("no board; none is needed")

    found = {each.name: each for each in examine_accelerator(files, closed)}
    assert found["build"].level == level
    assert state in found["build"].state
    assert bool(found["build"].remedy) == (level != "ok")


def test_a_lost_interrupt_is_a_warning(examine, machine):
    machine.lost_interrupts = True
    finding = examine()["interrupt"]
    assert finding.level == "warning"
    assert "generic-uio" in finding.remedy


def test_wrong_bits_fail_the_selftest(examine, monkeypatch):
    """A bit of the tape, as a design that misses its timing might read it."""
    write = AcceleratorDevice.__init__

    def flipped(device, image, board, **options):
        write(device, image, board, **options)
        if image.config.name == "selftest":
            word = device.memory_map.tape.first_word + 20
            content = board.read(word, 1)
            board.write(word, content ^ np.uint8(1))

    monkeypatch.setattr(AcceleratorDevice, "__init__", flipped)
    found = examine(selftest=True)
    assert found["selftest"].level == "failure"
    assert "do not use its results" in found["selftest"].remedy
    assert "counters" not in found


def test_wrong_counters_are_found(examine, machine, monkeypatch):
    read = machine.read
    compute = REGISTERS["COMPUTE"]
    monkeypatch.setattr(machine, "read", lambda at: read(at) + (at == compute))
    finding = examine(selftest=True)["counters"]
    assert finding.level == "failure"
    assert "different builds" in finding.remedy


def test_a_model_that_does_not_fit_is_named(examine, tmp_path):
    path = tmp_path / "other.tercel"
    random_image(path, PRESETS["tiny"])
    finding = examine(image=Image.open(path))["model"]
    assert finding.level == "failure"
    assert "the accelerator plays tapes with" in finding.state
    assert finding.remedy


def test_a_board_that_does_not_open_is_a_finding(examine, files, tmp_path):
    lock = BoardLock("pl", folder=tmp_path)
    finding = examine()["accelerator"]
    assert finding.level == "failure"
    assert "held by process" in finding.state
    assert "wait for it to end" in finding.remedy
    lock.close()

    def never(words):
        raise AssertionError

    (finding,) = examine_accelerator(OverlayFiles(tmp_path / "missing"), never)
    assert (finding.name, finding.level) == ("overlay", "failure")
    assert "missing.json: `tercel hdl` writes it beside the Verilog" in finding.state
    assert finding.remedy == "copy it there"


def test_the_recorded_passes_are_the_emulators_and_the_cycle_models():
    """`python -m tercel_sim.selftest_recording` writes them."""
    recorded = record()
    shipped = Selftest.load()
    assert json.loads(shipped.model.to_json()) == recorded["model"]
    assert recorded["draws"] == shipped.draws
    assert recorded["sequences"] == shipped.sequences


def test_another_numpy_is_told_apart(files, tmp_path, monkeypatch):
    monkeypatch.setattr(selftest, "draws", lambda seed: "other")
    with pytest.raises(TercelError, match=r"draws other random numbers .*; install NumPy 1.26"):
        Selftest.load().image(files.spec, tmp_path)
