import dataclasses
import json

import numpy as np
import pytest
import torch
from hindrances import full_disk, names
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from onnx_sessions import feed, run, session
from transformers import AutoModelForCausalLM

from tercel.errors import TercelError
from tercel.image import Image, random_image
from tercel.numerics import quantise_rows
from tercel_export.huggingface.writer import write_huggingface
from tercel_quant.convert import convert


@pytest.fixture
def eager(monkeypatch):
    """transformers' BitNet is decorated with torch.compile, which takes a minute."""
    monkeypatch.setattr(torch, "compile", lambda function: function)


def test_the_image_comes_back_bit_for_bit(image, exported, tmp_path):
    found = convert(exported(image, "huggingface"), tmp_path / "again", name=image.config.name)
    assert "products multiplied by weight_scale" in found.source
    assert (tmp_path / "again").read_bytes() == image.path.read_bytes()


@pytest.mark.parametrize("name", ["silu-tied-grouped", "relu2-untied-sub-norms"])
def test_transformers_loads_it_and_computes_as_onnx_does(images, name, exported, eager):
    image, tokens = images[name], [*range(3, 90, 4)]
    model = AutoModelForCausalLM.from_pretrained(exported(image, "huggingface"))
    assert model.dtype == torch.float32
    weight = model.model.layers[0].mlp.down_proj.weight.detach().numpy()
    assert np.array_equal(weight, image.ternary("layers.0.down"))
    kept = []
    last = model.model.layers[-1].mlp.down_proj
    last.register_forward_hook(lambda module, inputs, output: kept.append(output.numpy()))
    with torch.no_grad():
        logits = model(torch.tensor([tokens])).logits.numpy()
    name = f"layers.{image.config.layers - 1}.down.output"
    runner = session(exported(image, "onnx-nbits") / "model.onnx", outputs=[name])
    found = run(runner, feed(image, tokens))
    np.testing.assert_allclose(found[name], kept[0], rtol=0, atol=1e-5 * np.abs(kept[0]).max())
    # transformers' head takes floats, the device's and that of the export int8.
    difference = np.abs(found["logits"] - logits)
    assert difference.max() < 0.02 * np.abs(logits).max()


@given(arrays(np.float32, (5, 4), elements=st.floats(-1e6, 1e6, width=32)))
def test_products_of_quantised_rows_give_the_same_rows_again(rows):
    values, scales = quantise_rows(rows)
    again = quantise_rows(values * scales[:, None])
    assert np.array_equal(again[0], values)
    assert np.array_equal(again[1], scales)


def test_a_large_model_is_several_files(image, tmp_path):
    list(write_huggingface(image, tmp_path / "model", shard_bytes=20_000))
    files = names(tmp_path / "model")
    shards = [name for name in files if name.endswith(".safetensors")]
    assert len(shards) > 1
    index = json.loads((tmp_path / "model/model.safetensors.index.json").read_text())
    assert sorted(set(index["weight_map"].values())) == shards
    convert(tmp_path / "model", tmp_path / "again", name=image.config.name)
    assert (tmp_path / "again").read_bytes() == image.path.read_bytes()
    # A second export needs fewer files and leaves none of the first.
    list(write_huggingface(image, tmp_path / "model"))
    left = [name for name in names(tmp_path / "model") if name.endswith(".safetensors")]
    assert left == ["model.safetensors"]


def test_rows_that_cannot_be_packed_are_refused(one_layer, tmp_path):
    config = dataclasses.replace(one_layer.config, ffn_size=150)
    random_image(tmp_path / "odd.tercel", config)
    image = Image.open(tmp_path / "odd.tercel")
    with pytest.raises(TercelError, match=r"packs four rows into one, but gate has 150 rows"):
        list(write_huggingface(image, tmp_path / "model"))
    assert names(tmp_path) == ["odd.tercel"]


def test_a_full_disk_is_told(one_layer, tmp_path):
    with full_disk(after=5_000), pytest.raises(TercelError, match=r"cannot write .*model: "):
        list(write_huggingface(one_layer, tmp_path / "model"))
    assert names(tmp_path) == []
