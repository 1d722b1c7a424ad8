import dataclasses

import pytest

from tercel.image import Image, ImageBuilder, TapeLayout, copy_tensors, fill_random


@pytest.mark.parametrize("tied", [False, True])
def test_a_copy_is_the_same_image(build, odd_config, tied_config, tied, tmp_path):
    path, _ = build(tied_config if tied else odd_config)
    check(path, tmp_path)


def test_a_copy_of_scaled_matrices_is_the_same_image(build, scaled_config, tmp_path):
    check(build(scaled_config)[0], tmp_path)


def check(path, folder):
    image = Image.open(path)
    builder = ImageBuilder(config=image.config)
    copy_tensors(image, builder)
    assert builder.missing == ()
    builder.write(folder / "copy")
    assert (folder / "copy").read_bytes() == path.read_bytes()


def test_given_tensors_stay_and_unknown_ones_remain_missing(build, odd_config, tmp_path):
    """Into another layout, with a tensor of its own and one that the image has not."""
    path, given = build(odd_config)
    config = dataclasses.replace(odd_config, shortlist=32)
    builder = ImageBuilder(config=config, layout=TapeLayout(tables=78))
    builder.gain("norm", given.gains["norm"] + 1)
    copy_tensors(Image.open(path), builder)
    assert builder.missing == ("shortlist",)
    fill_random(builder, 1)
    builder.write(tmp_path / "listed")
    image = Image.open(tmp_path / "listed")
    assert (image.gain("norm") == given.gains["norm"] + 1).all()
    for name, trits in given.trits.items():
        assert (image.ternary(name) == trits).all()
        assert image.weight_scale(name) == given.scale[name]
    assert (image.rows("head")[0] == given.values["head"]).all()
