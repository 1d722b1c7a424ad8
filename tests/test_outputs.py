"""The table of docs/outputs.md: every command that writes a file, and what stands in its way."""

import dataclasses
import os
import signal
import stat
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from byte_tokenizer import byte_tokenizer
from hindrances import FULL, NULL, full_disk, make_device, names, read_only
from typer.testing import CliRunner

from tercel.cli.app import app
from tercel.config import PRESETS
from tercel.files import write_errors
from tercel.image import Image, random_image
from tercel_hw.synthesis.depth import Depth
from tercel_hw.synthesis.graph import make_graph
from tercel_hw.synthesis.netlist import Netlist
from tercel_hw.synthesis.resources import Resources
from tercel_hw.synthesis.run import Measured
from tercel_hw.top.config import ACCELERATORS
from tercel_quant.model import Transformer
from tercel_quant.training_state import save_weights
from tercel_sim.measured_run import Interruption, MeasuredRun

MODEL = dataclasses.replace(PRESETS["tiny"], layers=1)


class Command:
    """A command line, its inputs and its output in one folder, and its expensive work as a stub.

    Members
    -------
    output : Path
        The file of which the table tells.
    inputs : list of Path
        What the command reads; any of them as the output is refused.
    worked : int
        How often the expensive work has begun.
    interrupts : bool
        Whether Ctrl-C is pressed when it does.
    """

    def __init__(self, folder: Path, monkeypatch):
        self.folder = folder / "out"
        self.folder.mkdir()
        self.given = folder / "in"
        self.given.mkdir()
        self.worked, self.interrupts = 0, False
        self.prepare(monkeypatch)

    def work(self):
        self.worked += 1
        if self.interrupts:
            raise KeyboardInterrupt

    def run(self, output: Path | None = None):
        arguments = self.arguments(self.output if output is None else output)
        return CliRunner().invoke(app, [str(argument) for argument in arguments])


class Quantize(Command):
    def prepare(self, monkeypatch):
        self.output = self.folder / "model.tercel"
        weights = self.given / "weights.safetensors"
        model = Transformer(MODEL)
        model.initialise(0)
        save_weights(weights, MODEL, model.state_dict(), precision="ternary")
        text = self.given / "text.txt"
        text.write_text("a text")
        self.inputs = [weights, text]
        from tercel_quant import convert

        opened = convert.open_checkpoint

        def open_checkpoint(source, **options):
            self.work()
            return opened(source, **options)

        monkeypatch.setattr(convert, "open_checkpoint", open_checkpoint)

    def arguments(self, output):
        text = ["--calibration-text", self.inputs[1]] if output in self.inputs[1:] else []
        return ["quantize", self.inputs[0], "-o", output, *text]

    def check(self, data):
        assert data[8:].startswith(b'{"__metadata__":{"checksum":"')


class Shortlist(Command):
    def prepare(self, monkeypatch):
        self.output = self.folder / "model.tercel"
        image, text = self.given / "model.tercel", self.given / "text.txt"
        config = dataclasses.replace(MODEL, vocab_size=257)
        random_image(image, config, tokenizer=byte_tokenizer())
        text.write_text("a text " * 40)
        self.inputs = [image, text]
        from tercel_quant.shortlist import conversion

        add_shortlist = conversion.add_shortlist

        def add(*arguments, **options):
            self.work()
            return add_shortlist(*arguments, **options)

        monkeypatch.setattr(conversion, "add_shortlist", add)

    def arguments(self, output):
        return ["shortlist", self.inputs[0], "--text", self.inputs[1], "--rows", 32, "-o", output]

    def check(self, data):
        assert data[8:].startswith(b'{"__metadata__":{"checksum":"')


class Train(Command):
    """Its output is a folder; the file is the last that it writes there."""

    def prepare(self, monkeypatch):
        self.output = self.folder / "weights.safetensors"
        self.tokens = self.given / "tokens.u16"
        np.zeros(100, "<u2").tofile(self.tokens)
        start = self.given / "weights.safetensors"
        model = Transformer(MODEL)
        model.initialise(0)
        save_weights(start, MODEL, model.state_dict(), precision="ternary")
        self.inputs = [start]
        from tercel_quant import train, trainer

        load, backward = train.load_weights, trainer.Trainer._backward

        def load_weights(*arguments, **options):
            self.worked += 1
            return load(*arguments, **options)

        def first_step(self_):
            if self.interrupts:
                signal.raise_signal(signal.SIGINT)
            return backward(self_)

        monkeypatch.setattr(train, "load_weights", load_weights)
        monkeypatch.setattr(trainer.Trainer, "_backward", first_step)

    def arguments(self, output):
        sizes = ["--batch-size", 1, "--length", 16, "--warmup", 1, "--steps", 1]
        files = ["--tokens", self.tokens, "--start", self.inputs[0], "--output", output.parent]
        return ["train", *files, *sizes]

    def check(self, data):
        assert b'"precision":"ternary"' in data[:1000]


class Hdl(Command):
    """Its output is several files; the one of the table is the Verilog."""

    def prepare(self, monkeypatch):
        self.output = self.folder / "made.v"
        config = self.given / "made.json"
        config.write_text("{}")
        self.inputs = [config]
        from tercel_hw.export import bundle

        def emit_verilog(part, name, target):
            self.work()
            return "module;\n"

        monkeypatch.setattr(bundle, "Accelerator", lambda config: config)
        monkeypatch.setattr(bundle, "emit_verilog", emit_verilog)

    def arguments(self, output):
        return ["hdl", "--config", self.inputs[0], "-o", output.with_suffix(".v")]

    def check(self, data):
        assert data == b"module;\n"


class Synth(Command):
    def prepare(self, monkeypatch):
        pytest.importorskip("pyosys")
        self.output = self.folder / "report.json"
        config = self.given / "accelerator.json"
        config.write_text("{}")
        self.inputs = [config]

        def measure_blocks(blocks, **options):
            self.work()
            depth = Depth(levels=1, through=1, start="i", path=(), end="o")
            graph = make_graph(Netlist({"modules": {"t": {"cells": {}, "ports": {}}}}, top="t"))
            return [
                Measured(
                    name="control", module="t", resources=Resources(lut=1), depth=depth, graph=graph
                )
            ]

        monkeypatch.setattr("tercel_hw.top.accelerator.Accelerator", lambda config: config)
        monkeypatch.setattr("tercel_hw.emission.emit_rtlil", lambda *a, **k: "")
        monkeypatch.setattr(
            "tercel_hw.synthesis.blocks.cut", lambda *a, **k: (SimpleNamespace(name="control"),)
        )
        monkeypatch.setattr("tercel_hw.synthesis.run.measure_blocks", measure_blocks)

    def arguments(self, output):
        return ["synth", "--config", self.inputs[0], "-o", output]

    def check(self, data):
        assert data.startswith(b'{\n  "format": "tercel synthesis"')


class Simulate(Command):
    """Its waves; the accelerator is a stub that writes them, by name, as the real one does."""

    def prepare(self, monkeypatch):
        self.output = self.folder / "waves.vcd"
        image = self.given / "model.tercel"
        random_image(image, MODEL, layout=ACCELERATORS["tiny"].layout)
        self.inputs = [image]

        def rtl_device(*arguments, **options):
            self.worked += 1
            board = SimpleNamespace(cycles=0, waves=write, close=lambda: None)
            return SimpleNamespace(board=board)

        def write(path, *, first, end):
            with write_errors(path), path.open("wb", buffering=0) as file:
                file.write(b"$timescale 1ps $end\n")

        def run(run, **options):
            run._device.board.cycles = 100
            if self.interrupts:
                run.interruption = Interruption(passes=0, of=1, cycles=100)

        monkeypatch.setattr("tercel_sim.rtl_device.RtlDevice", rtl_device)
        monkeypatch.setattr(MeasuredRun, "run", run)

    def arguments(self, output):
        return ["simulate", self.inputs[0], "--accelerator", "tiny", "--waves", output]

    def check(self, data):
        assert data == b"$timescale 1ps $end\n"


COMMANDS = {
    "quantize": Quantize,
    "shortlist": Shortlist,
    "train": Train,
    "hdl": Hdl,
    "synth": Synth,
    "simulate": Simulate,
}


@pytest.fixture(params=COMMANDS)
def command(request, tmp_path, monkeypatch):
    return COMMANDS[request.param](tmp_path, monkeypatch)


def refused(result, *parts):
    """A command ended with one line, apart from its progress."""
    assert result.exit_code == 2, result.output
    *_, line = result.stderr.splitlines()
    assert line.startswith("error: ")
    for part in parts:
        assert part in line


def nothing_else(command, *also):
    """No temporary file has stayed."""
    assert not [name for name in names(command.folder) if name.endswith(".tmp")]
    if also:
        assert names(command.folder) == sorted(also)


def test_an_output_that_is_an_input_is_refused_before_anything_is_read(command):
    for path in command.inputs:
        before = path.read_bytes()
        refused(command.run(path), f"is the input {path} too; name another output")
        assert path.read_bytes() == before
    assert command.worked == 0
    assert not [name for name in names(command.given) if name.endswith(".tmp")]


def test_a_link_to_an_input_is_refused_as_well(command):
    for path in command.inputs[:1]:
        before = path.read_bytes()
        command.output.symlink_to(path)
        refused(command.run(), f"{command.output} is the input {path} too")
        assert path.read_bytes() == before
    assert command.worked == 0


def test_a_link_is_followed_and_its_target_replaced(command):
    target = command.given / "target"
    target.write_bytes(b"old")
    command.output.symlink_to(target)
    result = command.run()
    assert result.exit_code == 0, result.output
    assert command.output.is_symlink()
    command.check(target.read_bytes())
    nothing_else(command)


def test_a_pipe_is_written_to_and_stays(command):
    os.mkfifo(command.output)
    if isinstance(command, Train):
        refused(command.run(), "weights.safetensors is no regular file, and must be one")
        assert command.worked == 0
        return
    found = []
    reader = os.open(command.output, os.O_RDONLY | os.O_NONBLOCK)
    held = os.open(command.output, os.O_WRONLY)  # so that the reader waits for the command
    os.set_blocking(reader, True)

    def read():
        with open(reader, "rb") as file:
            found.append(file.read())

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    result = command.run()
    os.close(held)
    thread.join(10)
    assert result.exit_code == 0, result.output
    command.check(found[0])
    assert stat.S_ISFIFO(command.output.stat().st_mode)
    nothing_else(command)


@pytest.mark.timeout(60)
def test_a_pipe_that_nobody_reads_is_refused_and_not_waited_for(command):
    os.mkfifo(command.output)
    result = command.run()
    refused(result)
    assert stat.S_ISFIFO(command.output.stat().st_mode)
    if not isinstance(command, Train):
        assert "nothing reads it; start its reader first" in result.stderr
    nothing_else(command)


@pytest.mark.parametrize(("minor", "kind"), [(NULL, "null"), (FULL, "full")])
def test_a_device_is_written_to_and_stays(command, minor, kind):
    """A node in the test's own folder, never the machine's."""
    make_device(command.output, minor)
    result = command.run()
    if isinstance(command, Train):
        refused(result, "weights.safetensors is no regular file, and must be one")
    elif kind == "full":
        refused(result, f"cannot write {command.output}: No space left on device")
    else:
        assert result.exit_code == 0, result.output
    assert stat.S_ISCHR(command.output.stat().st_mode)
    nothing_else(command)


def test_a_read_only_folder_is_told_before_the_work(command):
    command.output.write_bytes(b"old")
    with read_only(command.folder):
        refused(command.run(), f"cannot write {command.folder}", "Permission denied; write where")
    assert command.worked == 0
    assert command.output.read_bytes() == b"old"
    nothing_else(command, command.output.name)


def test_a_full_disk_leaves_everything_as_it_was(command):
    command.output.write_bytes(b"old")
    with full_disk():
        result = command.run()
    refused(result, f"cannot write {command.folder}", "File too large; raise the limit")
    assert command.output.read_bytes() == b"old"
    begun = ["log.jsonl"] if isinstance(command, Train) else []
    nothing_else(command, command.output.name, *begun)


def test_an_existing_file_is_told_before_the_work_and_replaced_after_it(command, monkeypatch):
    command.output.write_bytes(b"old")
    command.output.chmod(0o640)
    result = command.run()
    assert result.exit_code == 0, result.output
    told = f"{command.output} exists: it is replaced when the new one is whole"
    assert result.stderr.splitlines()[0] == told
    command.check(command.output.read_bytes())
    assert stat.S_IMODE(command.output.stat().st_mode) == 0o640
    nothing_else(command)


def test_an_interrupt_leaves_the_old_file(command):
    command.output.write_bytes(b"old")
    command.interrupts = True
    result = command.run()
    assert result.exit_code == 130, result.output
    if isinstance(command, Simulate):  # waves of what ran are what an interrupt is for
        command.check(command.output.read_bytes())
    else:
        assert command.output.read_bytes() == b"old"
    # A training run keeps its state, from which it continues.
    kept = ["checkpoint.pt", "log.jsonl"] if isinstance(command, Train) else []
    nothing_else(command, command.output.name, *kept)


def test_an_image_may_go_to_standard_output(tmp_path, monkeypatch, capfdbinary):
    """The command's messages then go to standard error."""
    command = Quantize(tmp_path, monkeypatch)
    result = command.run(Path("-"))
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    assert "imported" in result.stderr
    (tmp_path / "piped.tercel").write_bytes(capfdbinary.readouterr().out)
    assert Image.open(tmp_path / "piped.tercel").config == MODEL


def test_several_files_have_no_place_on_standard_output(tmp_path, monkeypatch):
    command = Hdl(tmp_path, monkeypatch)
    result = CliRunner().invoke(app, ["hdl", "--preset", "tiny", "-o", "-"])
    refused(result, "hdl writes several files: give it a folder or *.v, not -")
    assert command.worked == 0


def test_an_input_with_another_name_of_the_files_is_refused_at_the_end(tmp_path, monkeypatch):
    command = Hdl(tmp_path, monkeypatch)
    config = command.folder / "made.vlt"
    config.write_text("{}")
    command.inputs = [config]
    refused(command.run(), f"is the input {config} too; name another output")
    assert names(command.folder) == ["made.vlt"]
    assert config.read_text() == "{}"
