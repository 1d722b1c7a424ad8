import dataclasses

import numpy as np
import pytest

from tercel.config import ModelConfig
from tercel.image import ImageBuilder, TapeLayout, fill_random


class Recorder(ImageBuilder):
    """A builder that records the tensors added to it."""

    def __init__(self, **options):
        super().__init__(**options)
        self.trits, self.scale, self.gains, self.values, self.row_scales = {}, {}, {}, {}, {}

    def ternary(self, name, trits, scale):
        super().ternary(name, trits, scale)
        self.trits[name], self.scale[name] = trits.copy(), np.float32(scale)

    def gain(self, name, vector):
        super().gain(name, vector)
        self.gains[name] = vector.copy()

    def rows(self, name, values, scales):
        super().rows(name, values, scales)
        self.values[name], self.row_scales[name] = values.copy(), scales.copy()


ODD = ModelConfig(
    name="odd",
    layers=2,
    hidden_size=23,
    ffn_size=37,
    heads=3,
    kv_heads=1,
    head_size=16,
    vocab_size=37,
    context=5,
    sub_norms=True,
    tied_head=False,
)


@pytest.fixture(scope="session")
def odd_config():
    """Sizes that no group, block or word divides; two norms more and a head of its own."""
    return ODD


@pytest.fixture(scope="session")
def tied_config():
    return dataclasses.replace(ODD, name="tied", sub_norms=False, tied_head=True, layers=1)


@pytest.fixture
def build(tmp_path):
    """Write a random image; return its path and the recorded tensors."""

    def build(config, layout=None, seed=0, tokenizer=None):
        builder = Recorder(config=config, layout=layout or TapeLayout(), tokenizer=tokenizer)
        fill_random(builder, seed)
        path = tmp_path / f"{config.name}.tercel"
        builder.write(path)
        return path, builder

    return build
