import dataclasses

import pytest
from byte_tokenizer import byte_tokenizer

from tercel.config import PRESETS
from tercel.image import ChatFormat, Image, SamplingFilters, random_image

TINY = dataclasses.replace(PRESETS["tiny"], name="bytes", vocab_size=257, eos_tokens=(256,))


@pytest.fixture(scope="session")
def make_image(tmp_path_factory):
    """Write a random image that reads bytes, with fields changed; windows have 64 tokens."""

    def make(**fields):
        path = tmp_path_factory.mktemp("models") / "bytes.tercel"
        random_image(
            path,
            dataclasses.replace(TINY, **fields),
            seed=4,
            tokenizer=byte_tokenizer(),
            chat=ChatFormat(template="{{ messages }}", special_tokens={}),
            sampling=SamplingFilters(temperature=0.7, top_k=30),
        )
        return Image.open(path)

    return make


@pytest.fixture(scope="session")
def image(make_image):
    return make_image()


@pytest.fixture(scope="session")
def text():
    """About 2,000 characters, each another."""
    return "".join(chr(33 + 7 * index * index % 94) for index in range(2000))
