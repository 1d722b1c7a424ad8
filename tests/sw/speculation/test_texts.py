"""Texts with speculation equal those of plain decoding, for every method and filter."""

import dataclasses

import pytest

from tercel.config import PRESETS
from tercel.device.emulator import EmulatorDevice
from tercel.image import Image, random_image
from tercel.runtime import GenerationConfig, Generator, TextTokenizer, find_model
from tercel.sampling import SamplingConfig
from tercel.speculation.methods import AUTO, DraftSources, open_speculator

FILTERS = {
    "greedy": {},
    "cool": {"temperature": 0.8},
    "hot": {"temperature": 1.2},
    "top-k": {"temperature": 0.8, "top_k": 20},
    "top-p": {"temperature": 0.8, "top_p": 0.9},
    "min-p": {"temperature": 1.2, "min_p": 0.05},
}
SHIPPED = ("ngram", "suffix", "recycle", "store", "aded", "union", "hydra", "medusa", "ppd")
"""Methods that need no trained part, or whose part is shipped with the model."""
PROMPTS = (
    "It was on a dreary evening of the year that ",
    "The registers of the device are read in the order of their addresses, and ",
    "In the beginning. In the beginning. In the ",
)


def sampling(filters, seed):
    return GenerationConfig(
        sampling=SamplingConfig(seed=seed, **FILTERS[filters]), max_tokens=40, ignore_eos=True
    )


class Texts:
    """Texts of a model, plain ones computed once."""

    def __init__(self, image):
        self.image = image
        self.device = EmulatorDevice(image)
        self.tokenizer = TextTokenizer.of_image(image)
        self._plain = {}

    def speculator(self, method):
        sources = DraftSources(image=self.image, device=self.device, draft_model=self.image)
        return open_speculator(method, sources)

    def generate(self, prompt, config, speculator=None):
        self.device.reset()
        generator = Generator(self.device, self.tokenizer, speculator)
        generator.reset()
        tokens = [piece.token for piece in generator.generate(prompt, config)]
        statistics = generator.statistics.speculation
        assert statistics.failures == 0, statistics.failure
        return tokens, statistics

    def plain(self, prompt, config):
        key = prompt, config
        if key not in self._plain:
            self._plain[key] = self.generate(prompt, config)[0]
        return self._plain[key]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory, byte_tokenizer):
    path = tmp_path_factory.mktemp("texts") / "bytes.tercel"
    config = dataclasses.replace(PRESETS["tiny"], name="bytes", vocab_size=257, context=256)
    random_image(path, config, seed=3, tokenizer=byte_tokenizer)
    return Texts(Image.open(path))


@pytest.fixture(scope="module")
def small():
    return Texts(Image.open(find_model("small")))


@pytest.mark.parametrize("method", [AUTO, "ngram", "suffix", "recycle", "union", "draft"])
def test_random_models_say_the_same(tiny, method):
    speculator = tiny.speculator(method)
    for seed, filters in enumerate(FILTERS):
        prompt, config = PROMPTS[seed % len(PROMPTS)], sampling(filters, seed)
        assert tiny.generate(prompt, config, speculator)[0] == tiny.plain(prompt, config)


@pytest.mark.parametrize("method", [AUTO, *SHIPPED])
def test_the_shipped_model_says_the_same(small, method):
    speculator = small.speculator(method)
    config = sampling("cool", 5)
    found, statistics = small.generate(PROMPTS[0], config, speculator)
    assert found == small.plain(PROMPTS[0], config)
    assert statistics.emitted == 39


@pytest.mark.slow
@pytest.mark.parametrize("filters", FILTERS)
@pytest.mark.parametrize("method", [AUTO, *SHIPPED])
def test_the_shipped_model_says_the_same_with_every_filter(small, method, filters):
    speculator = small.speculator(method)
    for seed in range(10):
        for prompt in PROMPTS:
            config = sampling(filters, seed)
            assert small.generate(prompt, config, speculator)[0] == small.plain(prompt, config)
