import json

import onnx
import pytest
from hindrances import full_disk, names

from tercel.config import ModelConfig
from tercel.errors import TercelError
from tercel.image import Image
from tercel_export.onnx.integer import IntegerForm
from tercel_export.onnx.n_bits import NBitsForm
from tercel_export.onnx.writer import INLINE_BYTES, write_onnx


def test_the_folder_has_what_generation_needs(small, tmp_path):
    folder = tmp_path / "model"
    assert list(write_onnx(IntegerForm, small, folder)) == []
    assert names(folder) == [
        "genai_config.json",
        "generation_config.json",
        "model.onnx",
        "model.onnx.data",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    assert (folder / "tokenizer.json").read_bytes() == small.tokenizer
    onnx.checker.check_model(folder / "model.onnx", full_check=True)


def test_an_image_without_a_tokenizer_has_none(one_layer, tmp_path):
    list(write_onnx(NBitsForm, one_layer, tmp_path / "model"))
    assert "tokenizer.json" not in names(tmp_path / "model")


def test_the_model_says_what_it_is(one_layer, tmp_path):
    list(write_onnx(IntegerForm, one_layer, tmp_path / "model"))
    model = onnx.load(tmp_path / "model/model.onnx", load_external_data=False)
    properties = {entry.key: entry.value for entry in model.metadata_props}
    assert properties["tercel.form"] == "onnx"
    assert ModelConfig.from_json(properties["tercel.config"]) == one_layer.config


def test_weights_are_two_bits_and_outside_the_model_file(one_layer, tmp_path):
    list(write_onnx(IntegerForm, one_layer, tmp_path / "model"))
    model = onnx.load(tmp_path / "model/model.onnx", load_external_data=False)
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    for name, (rows, columns) in one_layer.config.linears().items():
        tensor = tensors[f"layers.0.{name}"]
        assert tensor.data_type == onnx.TensorProto.INT2
        assert tensor.dims == [columns, rows]
        outside = {entry.key: entry.value for entry in tensor.external_data}
        length = int(outside["length"]) if outside else len(tensor.raw_data)
        assert length == -(-rows * columns // 4)
        assert outside or length <= INLINE_BYTES


def test_the_same_image_gives_the_same_bytes(one_layer, tmp_path):
    for name in "ab":
        list(write_onnx(NBitsForm, one_layer, tmp_path / name))
    for file in names(tmp_path / "a"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_a_full_disk_is_told_and_leaves_the_old_folder(one_layer, tmp_path):
    folder = tmp_path / "model"
    list(write_onnx(NBitsForm, one_layer, folder))
    before = (folder / "model.onnx.data").read_bytes()
    with (
        full_disk(after=10_000),
        pytest.raises(TercelError, match=r"cannot write .*model: .*; (free|raise)"),
    ):
        list(write_onnx(NBitsForm, one_layer, folder))
    assert (folder / "model.onnx.data").read_bytes() == before
    assert names(tmp_path) == ["model"]


def test_memory_is_bounded_by_one_tensor(tmp_path, small):
    """Tensors are read one after the other, and none is kept."""
    reads = []

    class Watched(Image):
        def ternary(self, name):
            values = super().ternary(name)
            reads.append(name)
            return values

    image = Watched.open(small.path)
    list(write_onnx(NBitsForm, image, tmp_path / "model"))
    linears = small.config.linears()
    assert sorted(reads) == sorted(
        f"layers.{i}.{part}" for i in range(small.config.layers) for part in linears
    )


def test_genai_config_names_the_graphs_own_values(image, exported):
    folder = exported(image, "onnx")
    model = onnx.load(folder / "model.onnx", load_external_data=False)
    decoder = json.loads((folder / "genai_config.json").read_text())["model"]["decoder"]
    for side, values in (("inputs", model.graph.input), ("outputs", model.graph.output)):
        given = {value.name for value in values}
        named = {
            name % layer if "%d" in name else name
            for name in decoder[side].values()
            for layer in range(image.config.layers)
        }
        assert named == given
