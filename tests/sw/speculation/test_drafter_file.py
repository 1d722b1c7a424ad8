import dataclasses
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from tercel.config import PRESETS
from tercel.errors import TercelError
from tercel.image import Image, random_image
from tercel.speculation.drafter_file import (
    drafter_path,
    load_drafter,
    model_identity,
    save_drafter,
)

TENSORS = {
    "bytes": np.arange(5, dtype=np.uint8),
    "half": np.array([[1.5, -2]], np.float16),
    "ids": np.arange(6, dtype=np.int32).reshape(2, 3),
    "empty": np.zeros((0, 4), np.float32),
}


def make_image(folder, *, seed=0, name="tiny", **fields):
    path = folder / f"{name}.tercel"
    random_image(path, dataclasses.replace(PRESETS["tiny"], name=name, **fields), seed=seed)
    return Image.open(path)


@pytest.fixture
def image(tmp_path):
    return make_image(tmp_path)


def test_a_drafter_lies_beside_its_image(image):
    path = drafter_path(image.path, "ngram")
    assert path.name == "tiny.ngram.drafter"
    assert path.parent == image.path.parent


def test_arrays_and_settings_come_back_mapped(image, tmp_path):
    path = tmp_path / "a.drafter"
    save_drafter(path, kind="heads", image=image, tensors=TENSORS, settings={"steps": 7})
    found = load_drafter(path, kind="heads", image=image)
    assert found.settings == {"steps": 7}
    assert set(found.tensors) == set(TENSORS)
    for name, expected in TENSORS.items():
        array = found.tensors[name]
        assert array.dtype == expected.dtype
        np.testing.assert_array_equal(array, expected)
        assert not array.flags.writeable


def test_equal_drafters_have_equal_files(image, tmp_path):
    """The library itself writes the entries of the header in any order."""
    contents = set()
    for index in range(8):
        path = tmp_path / f"{index}.drafter"
        save_drafter(path, kind="heads", image=image, tensors=TENSORS, settings={"steps": 7})
        contents.add(path.read_bytes())
    assert len(contents) == 1


def test_the_identity_is_that_of_the_model(tmp_path, image):
    other = tmp_path / "other"
    other.mkdir()
    assert model_identity(make_image(other)) == model_identity(image)
    assert model_identity(make_image(other, seed=1)) != model_identity(image)
    assert model_identity(make_image(other, name="b")) != model_identity(image)
    listed = make_image(other, shortlist=32)
    assert listed.config.shortlist == 32
    assert model_identity(listed) == model_identity(image)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("heads", "was made for another model (tiny) than second.tercel; train it for this one"),
        ("ngram", "must be a drafter of the kind 'ngram' and version 1, but its metadata has the"),
    ],
)
def test_drafters_of_others_are_refused(image, tmp_path, kind, message):
    path = tmp_path / "a.drafter"
    save_drafter(path, kind="heads", image=image, tensors=TENSORS, settings={})
    with pytest.raises(TercelError) as caught:
        load_drafter(path, kind=kind, image=make_image(tmp_path, seed=2, name="second"))
    assert message in str(caught.value)


def test_files_that_are_no_drafters_are_refused(image, tmp_path):
    path = tmp_path / "a.drafter"
    with pytest.raises(TercelError, match="train it with `tercel train-drafter heads"):
        load_drafter(path, kind="heads", image=image)
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(TercelError, match="is not a drafter's file, or is damaged"):
        load_drafter(path, kind="heads", image=image)
    save_file({"a": np.zeros(3)}, str(path))
    with pytest.raises(TercelError, match="must be a drafter of the kind 'heads'"):
        load_drafter(path, kind="heads", image=image)
    save_drafter(path, kind="heads", image=image, tensors=TENSORS, settings={})
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(TercelError, match="is not a drafter's file, or is damaged"):
        load_drafter(path, kind="heads", image=image)


@pytest.mark.parametrize(
    ("settings", "tensor"),
    [(None, np.zeros(3)), ("{", np.zeros(3)), ("{}", np.zeros(3, bool))],
    ids=["no settings", "no JSON", "a type that no drafter has"],
)
def test_files_of_other_writers_are_refused(image, tmp_path, settings, tensor):
    path = tmp_path / "a.drafter"
    facts = {"format": "tercel-drafter", "version": "1", "kind": "heads"}
    facts |= {"model": model_identity(image)}
    save_file(
        {"a": tensor}, str(path), facts | ({} if settings is None else {"settings": settings})
    )
    with pytest.raises(TercelError, match="was not written by `tercel train-drafter heads`"):
        load_drafter(path, kind="heads", image=image)


def test_a_folder_that_does_not_exist_is_named(image):
    with pytest.raises(TercelError, match="make its folder first"):
        save_drafter(Path("/nowhere/a.drafter"), kind="h", image=image, tensors={}, settings={})
