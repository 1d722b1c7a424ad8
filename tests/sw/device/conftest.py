import dataclasses

import pytest

from tercel.config import PRESETS
from tercel.image import Image, random_image

FAMILIES = {
    "silu_gqa_tied": PRESETS["tiny"],
    "silu_mha_sub_norms": dataclasses.replace(
        PRESETS["tiny"], heads=2, kv_heads=2, head_size=96, sub_norms=True
    ),
    "relu2_untied": dataclasses.replace(
        PRESETS["tiny"],
        hidden_size=80,
        ffn_size=112,
        kv_heads=1,
        activation="relu2",
        sub_norms=True,
        tied_head=False,
    ),
}


@pytest.fixture(scope="session", params=FAMILIES)
def image(request, tmp_path_factory):
    """A random image of each model family."""
    path = tmp_path_factory.mktemp("images") / f"{request.param}.tercel"
    random_image(path, FAMILIES[request.param], seed=7)
    return Image.open(path)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    path = tmp_path_factory.mktemp("images") / "tiny.tercel"
    random_image(path, PRESETS["tiny"], seed=3)
    return Image.open(path)
