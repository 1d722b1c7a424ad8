import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator
from onnx_sessions import feed, run, session

from tercel_export.onnx.n_bits import block_size, pack_blocks, unpack_blocks


@pytest.mark.parametrize(
    ("columns", "size"), [(2560, 256), (6912, 256), (576, 64), (160, 32), (72, 32), (384, 128)]
)
def test_blocks_divide_the_rows_where_they_can(columns, size):
    assert block_size(columns) == size


@pytest.mark.parametrize("bits", [2, 8])
@pytest.mark.parametrize("columns", [64, 72, 256, 40])
def test_rows_are_packed_lowest_bits_first(bits, columns):
    low, high = (-1, 2) if bits == 2 else (-127, 128)
    values = np.random.default_rng(2).integers(low, high, (5, columns), np.int8)
    packed = pack_blocks(values, bits)
    size, mask, zero = block_size(columns), (1 << bits) - 1, 1 << (bits - 1)
    assert packed.shape == (5, -(-columns // size), size * bits // 8)
    for row, column in ((0, 0), (1, 3), (4, columns - 1)):
        block, at = divmod(column, size)
        byte, place = divmod(at, 8 // bits)
        code = (int(packed[row, block, byte]) >> bits * place) & mask
        assert code - zero == values[row, column]
    assert np.array_equal(unpack_blocks(packed, columns, bits), values)


def test_logits_are_those_of_standard_operators(image, tokens, exported):
    """onnxruntime's operator against DequantizeLinear and MatMul in ONNX's own evaluator."""
    found = run(session(exported(image, "onnx-nbits") / "model.onnx"), feed(image, tokens))
    evaluator = ReferenceEvaluator(onnx.load(exported(image, "onnx-dq") / "model.onnx"))
    logits, *_ = evaluator.run(["logits"], feed(image, tokens))
    np.testing.assert_allclose(found["logits"], logits, rtol=0, atol=2e-5 * np.abs(logits).max())


def test_a_text_goes_on_after_its_past(image, tokens, exported):
    runner = session(exported(image, "onnx-nbits") / "model.onnx")
    whole = run(runner, feed(image, tokens))["logits"]
    past = run(runner, feed(image, tokens[:10]))
    rest = run(runner, feed(image, tokens[10:], past=past))["logits"]
    np.testing.assert_allclose(rest, whole[:, 10:], rtol=0, atol=2e-5 * np.abs(whole).max())


def test_weights_are_exact(image, exported, tmp_path):
    """Products of one-hot rows are the weights themselves, so no bit is lost in the operator."""
    model = onnx.load(exported(image, "onnx-nbits") / "model.onnx")
    name, columns = "layers.0.down", image.config.ffn_size
    (node,) = [node for node in model.graph.node if name in node.input]
    graph = onnx.helper.make_graph(
        [node],
        "product",
        [
            onnx.helper.make_tensor_value_info(
                node.input[0], onnx.TensorProto.FLOAT, [None, columns]
            )
        ],
        [onnx.ValueInfoProto(name=node.output[0])],
        [tensor for tensor in model.graph.initializer if tensor.name in node.input],
    )
    alone = tmp_path / "product.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=model.opset_import, ir_version=10), alone)
    found = session(alone).run(None, {node.input[0]: np.eye(columns, dtype=np.float32)})[0]
    assert np.array_equal(found.T, image.ternary(name))
