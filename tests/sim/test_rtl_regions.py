"""Two models on one simulated accelerator, in turns, each with the emulator's bits."""

from dataclasses import fields, replace

import numpy as np
import pytest

from tercel.device import Ask, PassInterruptedError
from tercel.device.accelerator import AcceleratorDevice
from tercel.device.board_region import board_regions
from tercel.device.emulator import EmulatorDevice
from tercel.program import memory_map
from tercel_sim.ddr import DDR
from tercel_sim.rtl_library import rtl_library
from tercel_sim.verilator_board import VerilatorBoard

TOKENS = [5, 17, 3, 38]
CONTEXTS = 24, 40


@pytest.fixture
def pairs(four_lanes, little_model, random_images):
    """For two models, the device in its region of one board and the emulator."""
    spec = four_lanes.spec
    models = little_model, replace(little_model, layers=1, kv_heads=4, activation="relu2")
    images = [random_images(model, four_lanes, seed) for seed, model in enumerate(models)]
    sizes = [
        memory_map(config=model, spec=spec, context=context).words
        for model, context in zip(models, CONTEXTS, strict=True)
    ]
    ddr = DDR["kv260-15.0"]
    board = VerilatorBoard(rtl_library(four_lanes), words=sum(sizes), ddr=ddr)
    yield [
        (
            AcceleratorDevice(
                image, region, spec=spec, context=context, timeout=1e-3, watchdog=2e-5
            ),
            EmulatorDevice(image, nodes=4, context=context),
        )
        for image, region, context in zip(
            images, board_regions(board, spec.layout, sizes), CONTEXTS, strict=True
        )
    ]
    board.close()


def step(pair, tokens, parents=None, path=None):
    """A pass on both devices, compared, and its commit."""
    ask = Ask(top_k=3, logits=tuple(range(len(tokens))))
    mine, golden = (device.run_pass(tokens, parents=parents, ask=ask) for device in pair)
    assert np.array_equal(mine.argmax, golden.argmax)
    assert np.array_equal(mine.top_ids, golden.top_ids)
    for node in range(len(tokens)):
        assert np.array_equal(mine.logits[node], golden.logits[node])
    for device in pair:
        device.commit(range(len(tokens)) if path is None else path)


def same_caches(pair):
    rtl, emulator = pair
    assert rtl.length == emulator.length
    for layer in range(rtl.config.layers):
        mine, golden = (device.read_cache(layer, device.length) for device in pair)
        for field in fields(golden):
            assert np.array_equal(getattr(mine, field.name), getattr(golden, field.name))


def test_models_in_turns(pairs):
    for round in range(3):
        for pair in pairs:
            step(pair, TOKENS[: 1 + round])
            step(pair, TOKENS, parents=[-1, 0, 0, 2], path=[0, 2, 3])
    for pair in pairs:
        same_caches(pair)


def test_an_interrupted_pass_of_one_does_not_disturb_the_other(pairs, monkeypatch):
    first, second = pairs
    step(first, TOKENS[:2])
    step(second, TOKENS[:3])
    rtl = first[0]
    library = rtl._board._board._library
    run = library.tercel_run_while_register

    def interrupted(*arguments):
        rtl.interrupt()
        return run(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(library, "tercel_run_while_register", interrupted)
        with pytest.raises(PassInterruptedError):
            rtl.run_pass(TOKENS)
    for pair in (second, first, second):
        step(pair, TOKENS[:2])
    for pair in pairs:
        same_caches(pair)
