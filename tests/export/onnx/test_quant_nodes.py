"""QONNX models in qonnx's own executor, node by node."""

import numpy as np
import onnx
import pytest
from onnx_sessions import feed, run, session

from tercel.errors import TercelError
from tercel_export.formats import find_format
from tercel_export.onnx.reader import OnnxModel

pytest.importorskip("qonnx", reason="qonnx pins an onnx without int2 before Python 3.11")

pytestmark = pytest.mark.filterwarnings("ignore")
TOKENS = [1, 5, 7, 50, 3, 9]


@pytest.fixture(scope="module", params=["one-layer-odd-widths"])
def model(request, images, tmp_path_factory):
    """A folder and its image; the executor takes a second a layer."""
    folder = tmp_path_factory.mktemp("qonnx") / "model"
    image = images[request.param]
    (line,) = find_format("qonnx", sequence=len(TOKENS))(image, folder)
    assert "all shapes are fixed, for 6 positions" in line
    return folder / "model.onnx", image


def test_its_executor_computes_the_logits_of_plain_arithmetic(model, exported):
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx
    from qonnx.transformation.infer_shapes import InferShapes

    path, image = model
    wrapper = ModelWrapper(str(path)).transform(InferShapes())
    assert wrapper.check_all_tensor_shapes_specified()
    found = execute_onnx(wrapper, {"input_ids": np.array([TOKENS])})["logits"]
    expected = run(session(exported(image, "onnx-nbits") / "model.onnx"), feed(image, TOKENS))
    largest = np.abs(expected["logits"]).max()
    np.testing.assert_allclose(found, expected["logits"], rtol=0, atol=2e-5 * largest)


def test_every_product_has_a_quant_node_on_either_side(model):
    path, image = model
    graph = onnx.load(path).graph
    made_by = {output: node for node in graph.node for output in node.output}
    tensors = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for name in image.config.linears():
        source = f"layers.0.{name}"
        (quant,) = [node for node in graph.node if source in node.input]
        assert (quant.op_type, quant.domain) == ("Quant", "qonnx.custom_op.general")
        assert tensors[quant.input[3]] == 2
        scale = tensors[quant.input[1]]
        assert scale == image.weight_scale(source)
        assert np.array_equal(np.rint(tensors[source] / scale).T, image.ternary(source))
        (product,) = [node for node in graph.node if quant.output[0] in node.input]
        activations = made_by[product.input[0]]
        assert (activations.op_type, tensors[activations.input[3]]) == ("Quant", 8)


def test_it_is_not_read_again(model):
    with pytest.raises(TercelError, match=r"has the form 'qonnx', but onnx, onnx-nbits, onnx-dq"):
        OnnxModel(model[0])


@pytest.mark.parametrize("sequence", [0, 65])
def test_more_positions_than_the_context_are_refused(one_layer, tmp_path, sequence):
    with pytest.raises(TercelError, match=rf"sequence must be in 1..64, .*, not {sequence}"):
        list(find_format("qonnx", sequence=sequence)(one_layer, tmp_path / "model"))
