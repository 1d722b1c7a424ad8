import dataclasses
import tracemalloc

import numpy as np
import pytest

from tercel.config import PRESETS
from tercel.image import (
    LAYOUTS,
    Image,
    ImageBuilder,
    TapeLayout,
    fill_random,
    footprint,
    random_image,
)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    path = tmp_path_factory.mktemp("tiny") / "tiny.tercel"
    random_image(path, PRESETS["tiny"], seed=7)
    return path


def test_the_seed_decides(tiny, tmp_path):
    for seed, same in ((7, True), (8, False)):
        random_image(tmp_path / "x.tercel", PRESETS["tiny"], seed=seed)
        assert ((tmp_path / "x.tercel").read_bytes() == tiny.read_bytes()) == same


CHECKSUMS = {
    "tiny": "ac502b1fa1e2bc1f2d6d9b338c90d410961c078ea56cf5f15f873a9cb3748df6",
    "small": "00f913be778664ce3af139d8916a53468330ef33ad38b8b840bea9dc6919222d",
    "0.7b": "848dc02e4d8c85b9e9dd9114041371587d3dfd478f54b7ba2bef2dfd33dff943",
    "2b": "76f8a7116c1c7d31c2c86cd02b333d5c6db8e2d1d3803262a7475b37fda0db41",
}
"""Checksums, which cover every bit, of images that were written before version 3."""


@pytest.mark.parametrize("name", CHECKSUMS)
def test_images_of_version_2_keep_every_byte(tmp_path, name):
    config = PRESETS[name]
    config = dataclasses.replace(
        config,
        layers=1,
        vocab_size=min(config.vocab_size, 1000),
        context=64,
        bos_token=None,
        eos_tokens=(0,),
    )
    random_image(tmp_path / "x.tercel", config, seed=5)
    assert Image.open(tmp_path / "x.tercel", verify=False).checksum == CHECKSUMS[name]


def test_an_untied_image_of_the_other_code_keeps_every_byte(tmp_path):
    config = dataclasses.replace(
        PRESETS["tiny"], sub_norms=True, tied_head=False, rope_factors=(1.0,) * 8
    )
    random_image(tmp_path / "x.tercel", config, layout=LAYOUTS["kv260-index5"], seed=5)
    expected = "c4c9eb17d159479e28709e4f92dc40885705039a2ab4e8f51f64e54be4793be7"
    assert Image.open(tmp_path / "x.tercel", verify=False).checksum == expected


@pytest.mark.parametrize("granularity", ["row", "group"])
def test_scaled_linears_keep_the_size_of_their_input(tmp_path, granularity):
    config = dataclasses.replace(PRESETS["tiny"], granularity=granularity, ffn_size=300)
    random_image(tmp_path / "x.tercel", config, seed=5)
    weights = Image.open(tmp_path / "x.tercel").weights("layers.0.down")
    y = weights @ np.random.default_rng(0).normal(size=300)
    assert 0.5 < np.std(y) < 2
    assert len(np.unique(np.abs(weights))) > 64


def test_trits_are_a_third_each(tiny):
    trits = Image.open(tiny).ternary("layers.1.gate_up")
    shares = [(trits == value).mean() for value in (-1, 0, 1)]
    assert np.allclose(shares, 1 / 3, atol=0.02)


def test_tensors_differ(tiny):
    image = Image.open(tiny)
    assert not np.array_equal(image.ternary("layers.0.q"), image.ternary("layers.1.q"))
    assert not np.array_equal(image.ternary("layers.0.k"), image.ternary("layers.0.v"))


def test_linears_keep_the_size_of_their_input(tiny):
    image = Image.open(tiny)
    x = np.random.default_rng(0).normal(size=160)
    y = image.ternary("layers.0.down") @ x * image.weight_scale("layers.0.down")
    assert 0.5 < np.std(y) < 2


def test_scales_are_near_what_keeps_the_magnitude(tiny):
    image = Image.open(tiny)
    config = image.config
    for name, (_, columns) in config.linears().items():
        ratio = image.weight_scale(f"layers.0.{name}") / np.sqrt(1.5 / columns)
        assert 0.8 <= ratio <= 1.25
    _, scales = image.rows("head")
    ratios = scales * 73 * np.sqrt(config.hidden_size) / 3
    assert ratios.min() == pytest.approx(0.8, abs=0.05)
    assert ratios.max() == pytest.approx(1.25, abs=0.05)
    gain = image.gain("norm")
    assert abs(gain.mean() - 1) < 0.05
    assert 0.05 < gain.std() < 0.15


def test_only_what_is_missing_is_filled(tmp_path):
    builder = ImageBuilder(config=PRESETS["tiny"])
    builder.gain("norm", np.full(64, 3, np.float32))
    fill_random(builder, 0)
    builder.write(tmp_path / "x.tercel")
    assert (Image.open(tmp_path / "x.tercel").gain("norm") == 3).all()


def test_memory_is_the_tape_and_one_tensor(tiny, tmp_path):
    config = PRESETS["small"]
    limit = footprint(config, TapeLayout()).tape + 1.5 * config.vocab_size * config.hidden_size
    tracemalloc.start()
    random_image(tmp_path / "x.tercel", config)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < limit
