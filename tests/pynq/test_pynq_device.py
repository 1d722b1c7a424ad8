"""Models through pynq: the emulator's bits and text, and every fault that a user can meet."""

import dataclasses
import hashlib
import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pynq
import pytest
from byte_tokenizer import byte_tokenizer
from hardware_pair import TOKENS, Pair
from typer.testing import CliRunner

from tercel.cli.app import app
from tercel.device.registers import REGISTERS
from tercel.errors import TercelError
from tercel.hardware.overlay_files import OverlayFiles
from tercel.hardware.pynq_board import find_interrupt
from tercel.hardware.pynq_buffer import PynqPortBuffer
from tercel.hardware.pynq_device import PynqDevice
from tercel.image import random_image
from tercel_sim.simulated_overlay import write_overlay


def pair_of(image, overlay, **options):
    return Pair(PynqDevice(image, OverlayFiles(overlay), **options), image)


@pytest.fixture
def pair(simulated, image, overlay):
    simulated()
    pair = pair_of(image, overlay, watchdog=10e-6, timeout=5e-3)
    pair.hardware.board.check_seconds = 20e-6
    yield pair
    pair.hardware.close()


def test_passes_have_the_emulators_bits(pair):
    pair.step(TOKENS[:3])
    pair.works()
    saved = pair.hardware.save()
    for device in (pair.hardware, pair.emulator):
        device.reset()
        device.restore(saved, 3)
    pair.works()


@pytest.mark.parametrize("missing", ["flush", "invalidate"])
def test_a_missing_flush_or_invalidate_gives_wrong_bits(pair, monkeypatch, missing):
    pair.step(TOKENS[:3])
    monkeypatch.setattr(PynqPortBuffer, missing, lambda self, first, size: None)
    with pytest.raises((AssertionError, TercelError)):
        pair.works()


def test_the_command_line_says_the_emulators_text(simulated, overlay, accelerator, tmp_path, model):
    simulated(memory_bytes=1 << 23)
    path = tmp_path / "bytes.tercel"
    config = dataclasses.replace(model, name="bytes", vocab_size=256)
    tokenizer = byte_tokenizer(ends=False)
    random_image(path, config, layout=accelerator.layout, seed=3, tokenizer=tokenizer)
    texts = []
    for arguments in (
        ["--device", "emulator"],
        ["--device", "pynq", "--set", f"overlay={overlay}"],
    ):
        options = [
            "--prompt",
            "The end",
            "--max-tokens",
            "10",
            "--temperature",
            "0.8",
            "--seed",
            "4",
        ]
        result = CliRunner().invoke(app, ["run", str(path), *arguments, *options])
        assert result.exit_code == 0, result.output
        texts.append(result.stdout)
    assert texts[0] == texts[1]
    assert len(texts[0]) > 5


def test_a_port_that_stops_is_the_watchdogs_error(pair):
    pair.step(TOKENS[:3])
    board = pynq.Device.active_device.machine.board
    board.stop(0, cycle=board.cycles + 600)
    pair.fails("reported the errors watchdog; the accelerator does not come out of its reset")
    board.resume(0)
    pair.works()


def test_a_pass_without_end_is_an_error_with_the_status(simulated, image, overlay):
    simulated()
    pair = pair_of(image, overlay, watchdog=0, timeout=50e-6)
    board = pynq.Device.active_device.machine.board
    board.stop(1, cycle=board.cycles + 100)
    state = r"\(status busy, no errors, \d+ cycles since the start\)"
    pair.fails(f"did not end within 5e-05 s {state}")
    board.resume(1)
    pair.works()
    pair.hardware.close()


@pytest.mark.parametrize("pin", [False, True])
def test_a_reset_in_the_midst_of_a_pass(pair, monkeypatch, pin):
    """By another program, or since the bitstream was loaded again."""
    pair.step(TOKENS[:3])
    machine = pynq.Device.active_device.machine
    wait = machine.wait_interrupt

    def disturbed(seconds):
        machine.board.run(400)
        if pin:
            machine.program()
        else:
            machine.write(REGISTERS["CONTROL"], REGISTERS["CONTROL_RESET_MASK"])
        monkeypatch.setattr(machine, "wait_interrupt", wait)
        return False

    monkeypatch.setattr(machine, "wait_interrupt", disturbed)
    pair.fails("the accelerator was reset before the pass ended and was reset; the cache is as")
    pair.works()


def test_lost_interrupts_cost_time_alone(pair):
    device, board = pynq.Device.active_device, pair.hardware.board
    pair.step(TOKENS[:1])
    assert not board.polls
    device.machine.lost_interrupts = True
    for _ in range(3):
        pair.step(TOKENS[:1])
    assert board.polls
    pair.works()


@pytest.mark.parametrize(("actual", "word"), [(187.5, "1.33 times as long"), (300.0, "wrong")])
def test_a_wrong_clock_is_named(simulated, image, overlay, actual, word):
    simulated(clock_hz=actual * 1e6)
    message = f"runs at {actual:.1f} MHz, but its overlay was built for 250.0 MHz, so .*{word}"
    with pytest.raises(TercelError, match=message):
        PynqDevice(image, OverlayFiles(overlay))


def test_a_clock_that_could_not_be_made_exactly_is_right(simulated, image, accelerator, tmp_path):
    """The hardware description has the achieved frequency, the sidecar the one asked for."""
    simulated(clock_hz=187.5e6)
    overlay = write_overlay(tmp_path / "slow", accelerator, clock_mhz=187.498)
    device = PynqDevice(image, OverlayFiles(overlay))
    assert device.board.clock_hz == 187.498e6
    device.close()


def test_memory_that_is_too_small(simulated, image, overlay):
    simulated(memory_bytes=1 << 12)
    message = r"2 buffers of 1 MiB cannot be allocated: .*; boot with cma=128M on the kernel's"
    with pytest.raises(TercelError, match=message):
        PynqDevice(image, OverlayFiles(overlay))
    simulated()
    PynqDevice(image, OverlayFiles(overlay)).close()


def test_an_overlay_of_another_configuration(simulated, image, overlay):
    simulated()
    sidecar = overlay.with_suffix(".json")
    facts = json.loads(sidecar.read_text())
    facts["spec"]["nodes"] = 8
    sidecar.write_text(json.dumps(facts))
    with pytest.raises(TercelError, match=r"register caps must be 0x.*was not built as its desc"):
        PynqDevice(image, OverlayFiles(overlay))


def test_an_overlay_of_another_version(simulated, image, overlay, monkeypatch):
    device = simulated()
    read = device.machine.read
    monkeypatch.setattr(
        device.machine, "read", lambda offset: 7 << 16 if offset == 4 else read(offset)
    )
    with pytest.raises(TercelError, match=r"version must be 0.x, but is 7.x; use the tercel that"):
        PynqDevice(image, OverlayFiles(overlay))


def test_another_design_is_no_accelerator(simulated, image, overlay, monkeypatch):
    device = simulated()
    monkeypatch.setattr(device.machine, "read", lambda offset: 0)
    with pytest.raises(TercelError, match="there is no tercel accelerator"):
        PynqDevice(image, OverlayFiles(overlay))


@pytest.mark.parametrize("suffix", [".bit", ".hwh", ".json"])
def test_a_missing_file_is_named(simulated, image, overlay, suffix):
    simulated()
    overlay.with_suffix(suffix).unlink()
    with pytest.raises(
        TercelError, match=rf"the overlay lacks the file .*tercel{suffix}: .* writes"
    ):
        PynqDevice(image, OverlayFiles(overlay))


def test_an_overlay_without_the_accelerator(simulated, image, overlay):
    simulated()
    description = overlay.with_suffix(".hwh")
    description.write_text(description.read_text().replace(":tercel_top:", ":other:"))
    with pytest.raises(TercelError, match=r"must have one block tercel_top.*blocks: accelerator"):
        PynqDevice(image, OverlayFiles(overlay))


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (PermissionError(1, "Operation not permitted"), "not permitted; it needs root: `sudo -s`"),
        (OSError("Root permissions required."), "Root permissions required.; `sudo -s`"),
        (
            RuntimeError("No Devices Found"),
            "No Devices Found; `source /etc/profile.d/xrt_setup.sh`",
        ),
        (RuntimeError("load_xclbin failed"), "load_xclbin failed; see `tercel doctor`"),
    ],
)
def test_what_pynq_refuses_is_one_line(simulated, image, overlay, monkeypatch, error, message):
    device = simulated()

    def refuse(*_):
        raise error

    monkeypatch.setattr(type(device), "download", refuse)
    with pytest.raises(TercelError, match=f"pynq cannot load the overlay .*{message}") as caught:
        PynqDevice(image, OverlayFiles(overlay))
    assert "\n" not in str(caught.value)


HOLDER = """
import sys
from pathlib import Path
from tercel.hardware.board_lock import BoardLock
lock = BoardLock(sys.argv[1], folder=Path(sys.argv[2]))
print("held", flush=True)
sys.stdin.read()
"""


def test_the_second_process_is_told_who_holds_the_board(simulated, image, overlay, tmp_path):
    device = simulated()
    command = [sys.executable, "-c", HOLDER, device.tag, str(tmp_path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(TercelError, match=rf"held by process {holder.pid} \(.*python.* -c"):
            PynqDevice(image, OverlayFiles(overlay))
        holder.stdin.close()
        holder.wait(20)
    made = PynqDevice(image, OverlayFiles(overlay))
    with pytest.raises(TercelError, match=rf"held by process {os.getpid()} "):
        PynqDevice(image, OverlayFiles(overlay))
    made.close()


def test_options_are_checked(simulated, image, overlay):
    with pytest.raises(TercelError, match=r"needs an overlay: --set overlay=PATH/tercel.bit"):
        PynqDevice.open(image, PynqDevice.OPTIONS())
    with pytest.raises(TercelError, match="nodes is a property of the overlay, 4, not 2"):
        PynqDevice.open(image, PynqDevice.OPTIONS(overlay=overlay, nodes=2))


def test_the_doctor_examines_the_accelerator(simulated, overlay):
    """The environment is no board's, so other checks may fail."""
    simulated()
    options = ["--device", "pynq", "--overlay", str(overlay), "--selftest", "--json"]
    result = CliRunner().invoke(app, ["doctor", *options])
    found = {finding["name"]: finding for finding in json.loads(result.stdout)}
    assert found["pynq"]["level"] == found["numpy"]["level"] == "ok"
    for name in ("overlay", "clock", "memory rate", "interrupt", "selftest", "counters"):
        assert found[name]["level"] == "ok", found[name]


def test_a_benchmark_has_a_record_of_the_overlay(simulated, overlay, accelerator, model, tmp_path):
    simulated(memory_bytes=1 << 23)
    path, record = tmp_path / "model.tercel", tmp_path / "record.json"
    random_image(path, dataclasses.replace(model, vocab_size=256), layout=accelerator.layout)
    quick = ["-p", "4", "-n", "1", "-t", "0", "-v", "0", "-d", "0", "-r", "1"]
    device = ["--device", "pynq", "--set", f"overlay={overlay}", "--submit", str(record)]
    result = CliRunner().invoke(app, ["bench", str(path), *quick, *device])
    assert result.exit_code == 0, result.output
    facts = json.loads(record.read_text())["device"]
    assert facts["name"] == "pynq"
    assert facts["overlay_sha256"]["value"] == hashlib.sha256(overlay.read_bytes()).hexdigest()
    assert facts["clock_hz"]["value"] == pytest.approx(250e6, rel=1e-3)
    assert facts["memory_rate"]["value"] > 1e8
    assert facts["memory_rate"]["source"].startswith("cycle-accurate simulation: passes")
    assert facts["selftest"]["value"] is True


class Lines:
    """Interrupts and UIO devices of a kernel, as pynq looks for them."""

    def __init__(self, path):
        self.path = path

    def get_uio_irq(self, number):
        return str(self.path) if number == 121 else None


@pytest.mark.parametrize(
    ("pin", "found"),
    [
        ({"controller": "", "index": 0, "raw_irq": 121}, True),
        ({"controller": "", "index": 0, "raw_irq": 122}, False),
        ({"controller": "axi_intc_0", "index": 0}, False),
        (None, False),
    ],
)
def test_an_interrupt_is_used_if_it_is_the_processors_own(tmp_path, monkeypatch, pin, found):
    """Behind an interrupt controller, or without a UIO device, the status is polled."""
    device = tmp_path / "uio4"
    os.mkfifo(device)
    monkeypatch.setattr("pynq.interrupt.get_uio_irq", Lines(device).get_uio_irq)
    overlay = SimpleNamespace(
        ip_dict={"accelerator": {"type": "xilinx.com:module_ref:tercel_top:1.0"}},
        interrupt_pins={"accelerator/irq": pin} if pin else {},
    )
    interrupt = find_interrupt(overlay, "tercel")
    assert (interrupt is not None) == found
    if interrupt is not None:
        interrupt.close()
