import dataclasses

import numpy as np
import pytest

from tercel.config import ModelConfig
from tercel.image import ImageBuilder, fill_random


class Recorder(ImageBuilder):
    """A builder that records the tensors added to it."""

    def __init__(self, **options):
        super().__init__(**options)
        self.trits, self.scale, self.gains, self.values, self.row_scales = {}, {}, {}, {}, {}
        self.multipliers = {}

    def ternary(self, name, trits, scale, multipliers=None):
        super().ternary(name, trits, scale, multipliers)
        self.trits[name], self.scale[name] = trits.copy(), np.float32(scale)
        self.multipliers[name] = multipliers

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


SCALED = {
    "rows": dataclasses.replace(ODD, name="rows", layers=1, granularity="row", qk_norm=True),
    "groups": dataclasses.replace(
        ODD, name="groups", hidden_size=23, ffn_size=530, granularity="group", tied_head=True
    ),
    "ternary_head": dataclasses.replace(
        ODD,
        name="ternary_head",
        layers=1,
        hidden_size=400,
        granularity="group",
        ternary_head=True,
        qk_norm=True,
        sub_norms=False,
    ),
    "rows_shortlist": dataclasses.replace(
        ODD, name="rows_shortlist", layers=1, hidden_size=401, granularity="row", shortlist=32
    ),
    "groups_shortlist": dataclasses.replace(
        ODD, name="groups_shortlist", layers=1, granularity="group", tied_head=True, shortlist=64
    ),
    "tied_ternary_head": dataclasses.replace(
        ODD,
        name="tied_ternary_head",
        layers=1,
        hidden_size=130,
        granularity="group",
        ternary_head=True,
        tied_head=True,
    ),
}


@pytest.fixture(scope="session", params=SCALED)
def scaled_config(request):
    """Models of version 3: sizes that no group, block or word divides."""
    return SCALED[request.param]


@pytest.fixture(scope="session")
def groups_config():
    """Groups, and int8 rows of a tied head."""
    return SCALED["groups"]


@pytest.fixture
def build(tmp_path):
    """Write a random image; return its path and the recorded tensors."""

    def build(config, layout=None, seed=0, tokenizer=None):
        builder = Recorder(config=config, layout=layout, tokenizer=tokenizer)
        fill_random(builder, seed)
        path = tmp_path / f"{config.name}.tercel"
        builder.write(path)
        return path, builder

    return build
