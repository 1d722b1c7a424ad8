import json
from dataclasses import replace

import pytest

from tercel.config import PRESETS
from tercel.errors import TercelError
from tercel.image import Image, random_image
from tercel_hw.top import ACCELERATORS
from tercel_sim.accelerator_choice import accelerator_for, choose_accelerator, with_nodes

TINY = ACCELERATORS["tiny"]


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    path = tmp_path_factory.mktemp("images") / "tiny.tercel"
    model = replace(PRESETS["tiny"], vocab_size=64)
    random_image(path, model, layout=TINY.layout)
    return Image.open(path)


def test_the_preset_that_plays_the_tape(image):
    assert choose_accelerator(image) == accelerator_for(image) == TINY
    assert choose_accelerator(image, nodes=3) == with_nodes(TINY, 3)
    assert choose_accelerator(image, name="tiny") == TINY


def test_a_file_keeps_its_nodes_unless_told_otherwise(image, tmp_path):
    path = tmp_path / "five.json"
    path.write_text(json.dumps(with_nodes(TINY, 5).parameters()))
    assert choose_accelerator(image, file=path).nodes == 5
    assert choose_accelerator(image, file=path, nodes=2).nodes == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "huge"}, "accelerator must be one of tiny, .*, not 'huge'"),
        ({"name": "kv260"}, "the accelerator plays tapes with .* but the image's is"),
        ({"nodes": 17}, "nodes must be an integer in 1..16, not 17"),
        ({"name": "tiny", "nodes": 0}, "nodes must be an integer in 1..16, not 0"),
    ],
)
def test_what_does_not_fit_is_refused(image, options, message):
    with pytest.raises(TercelError, match=message):
        choose_accelerator(image, **options)


def test_a_preset_beside_a_file_is_refused(image, tmp_path):
    with pytest.raises(TercelError, match="by its preset or by a file, not both"):
        choose_accelerator(image, name="tiny", file=tmp_path / "any.json")


def test_a_tape_that_nothing_plays_is_refused(tmp_path):
    layout = replace(TINY.layout, tables=7)
    random_image(tmp_path / "odd.tercel", PRESETS["tiny"], layout=layout)
    with pytest.raises(TercelError, match=r"no accelerator preset \(tiny, .*\) plays tapes"):
        accelerator_for(Image.open(tmp_path / "odd.tercel"))


@pytest.mark.parametrize("fields", [{"granularity": "row"}, {"granularity": "group"}])
def test_models_of_version_3_are_played_by_the_preset_with_groups(tmp_path, fields):
    random_image(tmp_path / "x.tercel", replace(PRESETS["tiny"], qk_norm=True, **fields))
    chosen = choose_accelerator(Image.open(tmp_path / "x.tercel"))
    assert chosen == ACCELERATORS["kv260-groups"]


def test_a_model_of_version_3_on_another_tape_is_refused_for_what_is_missing(tmp_path):
    config = replace(PRESETS["tiny"], granularity="row")
    random_image(tmp_path / "x.tercel", config, layout=ACCELERATORS["kv260"].layout)
    with pytest.raises(TercelError, match="has a scale for each row; take one that plays them"):
        choose_accelerator(Image.open(tmp_path / "x.tercel"))
