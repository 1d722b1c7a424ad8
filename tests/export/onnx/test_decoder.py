import functools

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator
from onnx_sessions import emulator_logits, feed, run, session

from tercel import numerics
from tercel.device.emulator import EmulatorDevice
from tercel.device.weights import ModelWeights
from tercel.program import Ask
from tercel.runtime import TextTokenizer

TEXT = """\
The President of the United States shall from time to time give to the Congress information of \
the state of the Union, and recommend to their consideration such measures as he shall judge \
necessary. In 1862 the whale fishery of New England had 409 ships at sea; café owners \
paid $1.25 a gallon for its oil, and nobody (not even Mr. Starbuck) thought the price too \
high: "Lower the boats!"
"""


@pytest.fixture(scope="module")
def sessions():
    """One session for each folder."""
    return functools.cache(lambda folder: session(folder / "model.onnx"))


@pytest.fixture
def folder(image, exported):
    return exported(image, "onnx")


@pytest.fixture
def runner(folder, sessions):
    return sessions(folder)


def test_logits_equal_the_devices_bit_for_bit(image, runner, tokens):
    found = run(runner, feed(image, tokens))
    assert np.array_equal(found["logits"][0], emulator_logits(image, tokens))


def test_a_text_goes_on_after_its_past(image, runner, tokens):
    expected = emulator_logits(image, tokens)
    past, at = None, 0
    for count in (5, 1, 1, 10, 7):
        past = run(runner, feed(image, tokens[at : at + count], past=past))
        assert np.array_equal(past["logits"][0], expected[at : at + count])
        at += count
    assert past["present.0.key"].shape[2] == at


def test_the_cache_is_the_devices(image, runner, tokens):
    found = run(runner, feed(image, tokens))
    device = EmulatorDevice(image, nodes=len(tokens))
    device.run_pass(tokens, parents=range(-1, len(tokens) - 1), base=0)
    device.commit(list(range(len(tokens))))
    for layer in range(image.config.layers):
        view = device.read_cache(layer, len(tokens))
        keys = view.keys * numerics.bfloat16_value(view.key_scales)[..., None]
        values = view.values * numerics.bfloat16_value(view.value_scales)[..., None]
        assert np.array_equal(found[f"present.{layer}.key"][0], keys)
        assert np.array_equal(found[f"present.{layer}.value"][0], values)


def test_texts_of_a_batch_may_be_padded_on_the_left(image, runner, tokens):
    short, pad = tokens[:9], len(tokens) - 9
    mask = np.ones((2, len(tokens)), np.int64)
    mask[1, :pad] = 0
    positions = np.maximum(mask.cumsum(1) - 1, 0)
    padded = [tokens, [0] * pad + short]
    found = run(runner, feed(image, padded, attention_mask=mask, position_ids=positions))
    assert np.array_equal(found["logits"][0], emulator_logits(image, tokens))
    assert np.array_equal(found["logits"][1, pad:], emulator_logits(image, short))


def test_the_accumulators_of_every_matrix_equal_the_emulators(small, exported):
    """The shipped model on a text: int32 sums of all products, logits and argmax."""
    config, weights = small.config, _Recorder(small)
    tokens = TextTokenizer.of_image(small).encode(TEXT)
    assert len(tokens) > 100
    names = [f"layers.{i}.{part}" for i in range(config.layers) for part in config.linears()]
    wanted = [f"{name}.accumulator" for name in names]
    found = run(
        session(exported(small, "onnx") / "model.onnx", outputs=wanted), feed(small, tokens)
    )
    device = EmulatorDevice(small, nodes=len(tokens))
    device._weights = weights
    result = device.run_pass(
        tokens, parents=range(-1, len(tokens) - 1), base=0, ask=Ask(logits=(0, len(tokens) - 1))
    )
    for name in names:
        sums = found[f"{name}.accumulator"]
        assert sums.dtype == np.int32
        assert np.array_equal(sums[0], weights.sums[name]), name
    assert np.array_equal(found["logits"][0].argmax(-1), result.argmax)
    assert np.array_equal(found["logits"][0, -1], result.logits[len(tokens) - 1])


class _Recorder(ModelWeights):
    """The emulator's weights, which keep the integer sums of every matrix."""

    def __init__(self, image):
        super().__init__(image)
        self._image = image
        self.sums = {}

    def linear(self, layer, name, x):
        for part in self._image.segment(f"layers.{layer}.{name}").parts:
            self.sums[part.name] = numerics.ternary_linear(self._image.ternary(part.name), x.values)
        return super().linear(layer, name, x)


def test_the_reference_evaluator_gives_the_same_bits(image, folder, tokens):
    """ONNX's own evaluator, which knows nothing of onnxruntime's fusions."""
    evaluator = ReferenceEvaluator(onnx.load(folder / "model.onnx"))
    logits = evaluator.run(["logits"], feed(image, tokens))[0]
    assert np.array_equal(logits[0], emulator_logits(image, tokens))
