import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

from tercel.errors import TercelError
from tercel_export.onnx.reader import FORMS, OnnxModel


@pytest.fixture(params=["onnx-nbits", "onnx-dq"])  # onnx has the initializers of onnx-dq
def folder(request, one_layer, exported, tmp_path):
    """An export to be damaged."""
    return Path(shutil.copytree(exported(one_layer, request.param), tmp_path / request.param))


@pytest.fixture
def changed(folder):
    """Applies a function to the stored model and saves it; returns the path."""

    def change(function):
        path = folder / "model.onnx"
        model = onnx.load(path, load_external_data=False)
        function(model)
        onnx.save(model, path)
        return path

    return change


@pytest.mark.parametrize("form", FORMS)
def test_every_tensor_is_read_with_the_images_bits(image, exported, form):
    model = OnnxModel(exported(image, form) / "model.onnx")
    assert model.config == image.config
    assert model.form == form
    for layer in range(image.config.layers):
        for part in image.config.linears():
            name = f"layers.{layer}.{part}"
            assert np.array_equal(model.ternary(name), image.ternary(name))
            assert model.weight_scale(name) == image.weight_scale(name)
        for part in image.config.norms():
            name = f"layers.{layer}.{part}"
            assert np.array_equal(model.gain(name), image.gain(name))
    assert np.array_equal(model.gain("norm"), image.gain("norm"))
    for name in ["embedding"] if image.config.tied_head else ["embedding", "head"]:
        for mine, theirs in zip(model.rows(name), image.rows(name), strict=True):
            assert mine.dtype == theirs.dtype
            assert np.array_equal(mine, theirs)


def test_a_foreign_model_is_refused_with_what_is_missing(tmp_path):
    path = tmp_path / "foreign.onnx"
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    output = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([node], "g", [value], [output])), path)
    with pytest.raises(
        TercelError, match=r"lack tercel.form, tercel.version, tercel.config, so `tercel export`"
    ):
        OnnxModel(path)


@pytest.mark.parametrize("content", [b"", b"no protobuf", b"\x08\xff" * 40])
def test_a_file_that_is_no_onnx_is_refused(tmp_path, content):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(TercelError, match=r"model.onnx(: its metadata lack| is no readable ONNX)"):
        OnnxModel(path)


def _set(model, key, value):
    next(entry for entry in model.metadata_props if entry.key == key).value = value


def test_another_version_is_refused(changed):
    path = changed(lambda model: _set(model, "tercel.version", "0"))
    with pytest.raises(TercelError, match=r"its graph has the version '0', but .* reads 1"):
        OnnxModel(path)


def test_an_unknown_form_is_refused(changed):
    path = changed(lambda model: _set(model, "tercel.form", "qonnx"))
    with pytest.raises(TercelError, match=r"has the form 'qonnx', but onnx, onnx-nbits, onnx-dq"):
        OnnxModel(path)


def _drop_a_node(model):
    del model.graph.node[20]


def _other_activation(model):
    node = next(node for node in model.graph.node if node.op_type in ("Sigmoid", "Relu", "Neg"))
    node.op_type = "Abs"


def _other_attribute(model):
    node = next(node for node in model.graph.node if node.op_type == "Concat")
    node.attribute[0].i = 1


def _other_constant(model):
    tensor = next(t for t in model.graph.initializer if t.name == "constant_3")
    changed = onnx.numpy_helper.to_array(tensor) * 2 + 1
    tensor.CopyFrom(onnx.numpy_helper.from_array(changed.astype(changed.dtype), tensor.name))


def _other_config(model):
    config = next(entry for entry in model.metadata_props if entry.key == "tercel.config")
    config.value = json.dumps(json.loads(config.value) | {"norm_epsilon": 0.5})


@pytest.mark.parametrize(
    "change", [_drop_a_node, _other_activation, _other_attribute, _other_constant, _other_config]
)
def test_a_changed_graph_is_refused(changed, change):
    with pytest.raises(TercelError, match=r"(so it was changed|was changed$)"):
        OnnxModel(changed(change))


def test_data_that_are_cut_short_are_refused(folder, one_layer):
    data = folder / "model.onnx.data"
    data.write_bytes(data.read_bytes()[:2000])

    def read_all():
        model = OnnxModel(folder / "model.onnx")
        for part in one_layer.config.linears():
            model.ternary(f"layers.0.{part}")
        model.rows("embedding")

    with pytest.raises(TercelError, match="are missing or cut short"):
        read_all()


def test_data_that_are_missing_are_refused(folder):
    (folder / "model.onnx.data").unlink()
    with pytest.raises(TercelError, match="are missing or cut short"):
        OnnxModel(folder / "model.onnx").rows("embedding")


def test_values_that_are_no_trits_are_refused(folder):
    data = folder / "model.onnx.data"
    content = bytearray(data.read_bytes())
    tensors = onnx.load(folder / "model.onnx", load_external_data=False).graph.initializer
    place = {e.key: e.value for e in _named(tensors, "layers.0.down").external_data}
    content[int(place["offset"])] ^= 0xFF
    content[int(place["offset"]) + 1] = 0b10101010 if folder.name != "onnx-nbits" else 0
    data.write_bytes(content)
    with pytest.raises(TercelError, match=r"layers.0.down holds values other than -1, 0 and 1"):
        OnnxModel(folder / "model.onnx").ternary("layers.0.down")


def test_scales_that_are_not_finite_are_refused(changed):
    def spoil(model):
        tensor = _named(model.graph.initializer, "layers.0.q.scale")
        tensor.CopyFrom(onnx.numpy_helper.from_array(np.float32(np.nan)[()], tensor.name))

    with pytest.raises(TercelError, match=r"layers.0.q.scale holds values that are not finite"):
        OnnxModel(changed(spoil)).weight_scale("layers.0.q")


def test_data_outside_the_folder_are_not_read(changed, tmp_path):
    (tmp_path / "secret").write_bytes(bytes(1 << 20))

    def point_outside(model):
        for tensor in model.graph.initializer:
            for entry in tensor.external_data:
                if entry.key == "location":
                    entry.value = "../secret"

    path = changed(point_outside)
    with pytest.raises(TercelError, match="secret"):
        OnnxModel(path).rows("embedding")


def _named(tensors, name):
    return next(tensor for tensor in tensors if tensor.name == name)
