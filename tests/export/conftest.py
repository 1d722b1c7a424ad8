"""Random images of every feature of the architecture, and the shipped model."""

import dataclasses

import numpy as np
import pytest
from random_exports import write_image

from tercel.config import PRESETS
from tercel.image import Image
from tercel.runtime import find_model
from tercel_export.formats import find_format

TINY = PRESETS["tiny"]
MODELS = {
    "silu-tied-grouped": TINY,
    "relu2-untied-sub-norms": dataclasses.replace(
        TINY,
        heads=2,
        kv_heads=2,
        head_size=32,
        activation="relu2",
        sub_norms=True,
        tied_head=False,
        norm_epsilon=1e-6,
        rope_base=500000.0,
        bos_token=1,
        eos_tokens=(2, 3),
    ),
    "one-layer-odd-widths": dataclasses.replace(
        TINY, layers=1, hidden_size=72, ffn_size=148, heads=3, kv_heads=1, vocab_size=53
    ),
}


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    """A random image of each kind of model, by name."""
    folder = tmp_path_factory.mktemp("images")
    return {name: write_image(folder / f"{name}.tercel", config) for name, config in MODELS.items()}


@pytest.fixture(scope="session", params=MODELS)
def image(request, images):
    """Each of the images."""
    return images[request.param]


@pytest.fixture(scope="session")
def one_layer(images):
    """The image that is fastest to export."""
    return images["one-layer-odd-widths"]


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """Exports an image once for all tests, which must not change the output; returns its path."""
    folder, done = tmp_path_factory.mktemp("exports"), {}

    def export(image, name):
        key = image.path, name
        if key not in done:
            output = folder / f"{image.path.stem}-{name}"
            list(find_format(name)(image, output))
            done[key] = output
        return done[key]

    return export


@pytest.fixture(scope="session")
def small():
    """The shipped model."""
    return Image.open(find_model("small"))


@pytest.fixture
def tokens(image):
    """A text of the model's vocabulary."""
    return np.random.default_rng(7).integers(0, image.config.vocab_size, 24).tolist()
