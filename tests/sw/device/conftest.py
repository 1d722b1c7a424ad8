import dataclasses

import pytest

from tercel.config import PRESETS
from tercel.image import Image, TapeLayout, random_image

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
    "row_scales_qk_norm": dataclasses.replace(PRESETS["tiny"], granularity="row", qk_norm=True),
    "groups_sub_norms": dataclasses.replace(
        PRESETS["tiny"],
        hidden_size=208,
        activation="relu2",
        sub_norms=True,
        granularity="group",
        tied_head=False,
    ),
    "groups_ternary_head_qk_norm": dataclasses.replace(
        PRESETS["tiny"],
        ffn_size=300,
        granularity="group",
        ternary_head=True,
        tied_head=False,
        qk_norm=True,
    ),
    "groups_tied_ternary_head": dataclasses.replace(
        PRESETS["tiny"], layers=1, hidden_size=144, granularity="group", ternary_head=True
    ),
}
GROUPS = TapeLayout(tables=53, block_rows=32)
"""Two groups a row-chunk, and blocks shorter than the vocabulary."""


@pytest.fixture(scope="session", params=FAMILIES)
def image(request, tmp_path_factory):
    """A random image of each model family."""
    path = tmp_path_factory.mktemp("images") / f"{request.param}.tercel"
    config = FAMILIES[request.param]
    random_image(path, config, layout=GROUPS if config.granularity == "group" else None, seed=7)
    return Image.open(path)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    path = tmp_path_factory.mktemp("images") / "tiny.tercel"
    random_image(path, PRESETS["tiny"], seed=3)
    return Image.open(path)
