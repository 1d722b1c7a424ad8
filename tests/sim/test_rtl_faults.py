"""Faults are reported by name, the accelerator works again afterwards, and nothing hangs."""

import itertools
import random
from dataclasses import replace

import numpy as np
import pytest

from tercel.device import Ask, PassInterruptedError
from tercel.device.registers import REGISTERS
from tercel.errors import TercelError
from tercel.program import COMMAND_BYTES, COMMANDS, PassBuilder
from tercel_hw.tlmm.config import TlmmConfig
from tercel_sim.ddr import DDR
from tercel_sim.lockstep import Lockstep
from tercel_sim.rtl_device import RtlDevice

TOKENS = [5, 17, 3, 38]
EVERYTHING = Ask(top_k=2, logits=(0, 1), hidden=(0, 1))


@pytest.fixture
def pair(lockstep, little_model, four_lanes):
    """A pair of devices with three positions in the cache, on a memory that takes its time."""
    pair = lockstep(little_model, four_lanes, ddr=DDR["kv260-15.0"], watchdog=1000)
    pair.step(TOKENS[:3])
    return pair


def fails(pair: Lockstep, message: str):
    """A pass on the accelerator alone, which must fail with a message."""
    length = pair.rtl.length
    with pytest.raises(TercelError, match=message):
        pair.rtl.run_pass(TOKENS[:2], ask=EVERYTHING)
    assert pair.rtl.length == length
    with pytest.raises(TercelError, match="there is no pass to commit"):
        pair.rtl.commit([0])


def works(pair: Lockstep):
    """Passes that read, write and keep the cache are right."""
    pair.step(TOKENS[:2], ask=EVERYTHING)
    pair.step(TOKENS, parents=[-1, 0, 0, 1], path=[0, 2])


def changed(monkeypatch, change):
    """Let the driver's next programs be changed ones."""
    build = PassBuilder.build

    def built(builder, request):
        lines = change([line.tobytes() for line in build(builder, request)])
        return np.frombuffer(b"".join(lines), np.uint8).reshape(-1, COMMAND_BYTES)

    monkeypatch.setattr(PassBuilder, "build", built)


def test_a_pass_that_is_interrupted(pair, monkeypatch):
    library, name = pair.rtl.board._library, "tercel_run_while_register"
    run, calls = getattr(library, name), []

    def interrupted(*arguments):
        calls.append(None)
        if len(calls) == 5:
            pair.rtl.interrupt()
        return run(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(library, name, interrupted)
        with pytest.raises(PassInterruptedError):
            pair.rtl.run_pass(TOKENS[:2], ask=EVERYTHING)
    assert len(calls) == 5
    with pytest.raises(TercelError, match="there is no pass to commit"):
        pair.rtl.commit([0])
    works(pair)


@pytest.mark.parametrize("response", [2, 3])
@pytest.mark.parametrize(("port", "beats"), [(0, 0), (1, 77), (0, 300), (1, 600)])
def test_a_read_is_answered_with_an_error(pair, port, beats, response):
    pair.rtl.board.fail_read(port, beats=beats, response=response)
    fails(pair, f"reported the errors tape{port} and was reset; the cache is as before")
    works(pair)


@pytest.mark.parametrize("response", [2, 3])
@pytest.mark.parametrize(("port", "beats"), [(0, 0), (1, 3), (0, 20), (1, 60)])
def test_a_write_is_answered_with_an_error(pair, port, beats, response):
    pair.rtl.board.fail_write(port, beats=beats, response=response)
    fails(pair, f"reported the errors write{port} and was reset")
    works(pair)


@pytest.mark.parametrize(("port", "cycles"), [(0, 30), (1, 600), (0, 1500), (1, 2500)])
def test_a_port_stops_answering(pair, port, cycles):
    """The accelerator waits in its reset for what it has asked for."""
    board = pair.rtl.board
    board.stop(port, cycle=board.cycles + cycles)
    fails(pair, "errors watchdog; the accelerator does not come out of its reset")
    fails(pair, "the accelerator does not come out of its reset: its memory does not answer")
    board.resume(port)
    works(pair)


def test_the_pin_resets_a_dead_port_too(pair):
    board = pair.rtl.board
    board.stop(0, cycle=board.cycles + 700)
    fails(pair, "watchdog")
    board.resume(0)
    board.restart()
    works(pair)


@pytest.mark.parametrize(
    "change",
    [
        lambda program: [program[0], bytes([200, *program[1][1:]]), *program[2:]],
        lambda program: [program[0], *program],
        lambda program: program[:-1],
        lambda program: program[1:],
        lambda program: [*program[:9], bytes(64), *program[9:]],
        lambda program: [COMMANDS["begin"].encode(caps=1, shape=2), *program[1:]],
        lambda program: [*program[:20], program[-1], *program[20:]],
        lambda program: [],
    ],
    ids=["unknown", "begin", "no end", "no begin", "zeros", "shape", "end", "empty"],
)
def test_a_wrong_program(pair, monkeypatch, change):
    with monkeypatch.context() as patch:
        changed(patch, change)
        fails(pair, "reported the errors sequencer and was reset")
    works(pair)


@pytest.mark.parametrize("name", ["tape", "norm", "engine", "attention", "dump"])
def test_a_program_that_waits_for_ever(pair, monkeypatch, name):
    number = COMMANDS[name].number
    with monkeypatch.context() as patch:
        changed(patch, lambda program: [line for line in program if line[0] != number])
        fails(pair, "reported the errors watchdog and was reset")
    works(pair)


def test_a_program_that_reads_outside_the_memory(pair, monkeypatch):
    def outside(program):
        command = COMMANDS["tape"]
        fields = command.decode(program[1])
        return [program[0], command.encode(**fields | {"address": 1 << 20}), *program[2:]]

    with monkeypatch.context() as patch:
        changed(patch, outside)
        fails(pair, "reported the errors tape0")
    works(pair)


def test_a_corrupt_weight_code(pair, random_images, little_model, four_lanes):
    segments = random_images(little_model, four_lanes).segments
    tape = next(segment for segment in segments if segment.name == "layers.1.down")
    board = pair.rtl.board
    good = board.read(tape.first_word, 1)
    bad = good.copy()
    bad[0, 0] = 255
    board.write(tape.first_word, bad)
    fails(pair, "reported the errors code and was reset")
    board.write(tape.first_word, good)
    works(pair)


def test_a_start_during_a_pass(pair, monkeypatch):
    board = pair.rtl.board
    wait = board.wait

    def impatient(limit):
        board.run(500)
        board.write_register(REGISTERS["CONTROL"], REGISTERS["CONTROL_START_MASK"])
        wait(limit)

    with monkeypatch.context() as patch:
        patch.setattr(board, "wait", impatient)
        with pytest.raises(TercelError, match="reported the errors start"):
            pair.rtl.run_pass(TOKENS[:2])
    works(pair)


@pytest.mark.parametrize("pause", [0.0, 0.4])
def test_a_reset_at_any_time(lockstep, little_model, four_lanes, pause):
    ddr = replace(DDR["kv260-13.3"], pause=pause, seed=1)
    pair = lockstep(little_model, four_lanes, ddr=ddr)
    pair.step(TOKENS[:3])
    draw, board = random.Random(3), pair.rtl.board
    for cycles in itertools.chain(range(1, 200, 23), (draw.randrange(3500) for _ in range(12))):
        program = pair.rtl.memory_map.program
        board.write_register(REGISTERS["PROGRAM_ADDRESS"], program.first_word)
        board.write_register(REGISTERS["CONTROL"], REGISTERS["CONTROL_START_MASK"])
        board.run(cycles)
        board.reset()
        assert board.read_register(REGISTERS["STATUS"]) == 0
        assert board.read_register(REGISTERS["ERROR"]) == 0
    works(pair)


def test_an_image_for_another_accelerator(little_model, four_lanes, random_images):
    other = replace(four_lanes, tlmm=TlmmConfig(tables=5, nodes=4, block_rows=8, max_columns=256))
    image = random_images(little_model, other)
    with pytest.raises(TercelError, match="plays tapes with tables 4, but the image's is 5"):
        RtlDevice(image, accelerator=four_lanes)
    wide = random_images(replace(little_model, hidden_size=144), four_lanes)
    with pytest.raises(TercelError, match="hidden_size of little must be at most 128 on this"):
        RtlDevice(wide, accelerator=four_lanes)
