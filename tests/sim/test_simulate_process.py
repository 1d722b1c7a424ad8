"""Ctrl-C and progress of ``tercel simulate``, which need a process and a terminal."""

import os
import pty
import re
import signal
import subprocess
import sys
import time

import pytest

from tercel_hw.top import ACCELERATORS
from tercel_sim.accelerator_choice import with_nodes


@pytest.fixture
def on_terminal():
    """Starts ``tercel`` with a terminal as its standard error; gives the process and that."""
    processes, descriptors = [], []

    def start(*arguments, **variables):
        controller, terminal = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "tercel", *arguments],
            stdout=subprocess.PIPE,
            stderr=terminal,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "100", **variables},
        )
        os.close(terminal)
        processes.append(process)
        descriptors.append(controller)
        return process, controller

    yield start
    for process in processes:
        process.kill()
        process.communicate()
    for descriptor in descriptors:
        os.close(descriptor)


def read(terminal, until=None):
    """Output of a terminal up to a text, or to the end of its program."""
    shown = b""
    while until is None or until not in shown:
        try:
            shown += os.read(terminal, 4096)
        except OSError:  # The program has ended.
            break
    assert until is None or until in shown, shown
    return shown


def test_ctrl_c_within_a_pass(on_terminal, random_images, little_model, four_lanes):
    image = str(random_images(little_model, four_lanes).path)
    small = ("--nodes", "4", "--accelerator", "tiny", "-n", "60")
    process, terminal = on_terminal("simulate", image, *small)
    shown = read(terminal, b"pass 3 of 60")
    assert re.search(rb"pass \d+ of 60[^\r]*0:0", shown + os.read(terminal, 4096))
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert time.monotonic() - began < 10  # Mostly the load of other processes.
    assert process.returncode == 130
    found = re.search(rb"interrupted  after (\d+) of 60 passes", out)
    assert found
    assert 2 <= int(found[1]) < 60
    assert b"tokens/s" in out


def test_ctrl_c_while_verilog_is_emitted(on_terminal, random_images, little_model, tmp_path):
    config = with_nodes(ACCELERATORS["tiny"], 4)
    image = str(random_images(little_model, config).path)
    cache = tmp_path / "cache"
    process, terminal = on_terminal(
        *("simulate", image, "--nodes", "4", "--accelerator", "tiny", "--cache", str(cache))
    )
    read(terminal, b"emitting Verilog")
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    shown = read(terminal)
    assert process.wait(timeout=60) == 130
    for text in (b"Unused", b"Traceback", b"error"):
        assert text not in shown
    assert list(cache.iterdir()) == []
