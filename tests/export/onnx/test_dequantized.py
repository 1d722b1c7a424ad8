import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator
from onnx_sessions import emulator_logits, feed, run, session

from tercel.runtime import TextTokenizer
from tercel_export.onnx.dequantized import DequantizedForm
from tercel_export.onnx.writer import write_onnx

LEVEL = "session.qdq_matmulnbits_accuracy_level"
TEXT = "The Congress shall assemble at least once in every year, and such meeting shall be in May."


def test_the_standard_operators_alone_are_used(image, exported):
    path = exported(image, "onnx-dq") / "model.onnx"
    model = onnx.load(path)
    assert {entry.domain: entry.version for entry in model.opset_import} == {"": 25}
    assert {node.domain for node in model.graph.node} == {""}
    onnx.checker.check_model(path, full_check=True)


@pytest.mark.parametrize("level", ["0", "1"])
def test_onnxruntime_gives_the_reference_evaluators_logits_if_told_so(
    image, tokens, exported, level
):
    path = exported(image, "onnx-dq") / "model.onnx"
    evaluator = ReferenceEvaluator(onnx.load(path))
    expected, *_ = evaluator.run(["logits"], feed(image, tokens))
    found = run(session(path, options={LEVEL: level}), feed(image, tokens))["logits"]
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5 * np.abs(expected).max())


def test_the_default_fusion_changes_the_logits_and_the_export_says_so(small, tmp_path):
    """By default the activations are quantised a second time, in blocks."""
    (advice,) = write_onnx(DequantizedForm, small, tmp_path / "model")
    assert f"set the session option {LEVEL} to 1" in advice
    path = tmp_path / "model/model.onnx"
    tokens = TextTokenizer.of_image(small).encode(TEXT)
    exact = run(session(path, options={LEVEL: "1"}), feed(small, tokens))["logits"]
    fused = run(session(path), feed(small, tokens))["logits"]
    difference = np.abs(fused - exact).max()
    assert 1e-2 < difference < 1
    # Both are near the device's, whose softmax and cache have integers as well.
    device = emulator_logits(small, tokens)
    for found in (exact, fused):
        assert np.abs(found[0] - device).max() < 1
        assert np.mean(found[0].argmax(-1) == device.argmax(-1)) > 0.9
