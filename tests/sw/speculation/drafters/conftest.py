"""Small random models with the vocabulary of bytes, and texts of them."""

from dataclasses import fields, replace

import numpy as np
import pytest

from tercel.config import PRESETS
from tercel.device.emulator import EmulatorDevice
from tercel.image import Image, random_image
from tercel.runtime import GenerationConfig, Generator
from tercel.sampling import SamplingConfig
from tercel.speculation import FixedSize, Speculator

MODEL = replace(PRESETS["tiny"], vocab_size=257, context=64)


@pytest.fixture(scope="session")
def make_image(tmp_path_factory, byte_tokenizer):
    """Makes images of random models; the seed sets all weights."""
    folder = tmp_path_factory.mktemp("models")

    def make(seed, *, tokenizer=byte_tokenizer, **changes):
        model = replace(MODEL, **changes)
        path = folder / f"{abs(hash((model, seed, tokenizer)))}.tercel"
        if not path.exists():
            random_image(path, model, seed=seed, tokenizer=tokenizer)
        return Image.open(path)

    return make


@pytest.fixture
def write(tokenizer):
    """Writes a text on the emulator, with a drafter or plainly.

    Returns the tokens, and the generator with its statistics.
    """

    def write(image, drafter=None, *, prompt="ab", nodes=7, device=None, acceptor=None, **settings):
        sampling = {name: settings.pop(name) for name in list(settings) if name in SAMPLING}
        settings = {"max_tokens": 24, "ignore_eos": True} | settings
        config = GenerationConfig(sampling=SamplingConfig(**sampling), **settings)
        device = EmulatorDevice(image) if device is None else device
        speculator = Speculator([drafter] if drafter else [], acceptor, FixedSize(nodes))
        generator = Generator(device, tokenizer, speculator)
        return [piece.token for piece in generator.generate(prompt, config)], generator

    return write


SAMPLING = {field.name for field in fields(SamplingConfig)}
"""Settings of :func:`write` that are the sampling's."""


def assert_equal_caches(device, other):
    """The committed positions of two devices are the same, bit for bit."""
    assert device.length == other.length
    mine, golden = device.save(), other.save()
    for layer in range(device.config.layers):
        a, b = (cache.view(layer, device.length) for cache in (mine, golden))
        for field in fields(b):
            assert np.array_equal(getattr(a, field.name), getattr(b, field.name)), field.name


@pytest.fixture(name="assert_equal_caches")
def _assert_equal_caches():
    return assert_equal_caches
