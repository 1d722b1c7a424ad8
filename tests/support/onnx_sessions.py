"""Running exported ONNX models and what the emulator answers to the same text."""

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from tercel.device.emulator import EmulatorDevice
from tercel.image import Image
from tercel.program import Ask
from tercel_export.onnx.graph import GraphTape
from tercel_export.onnx.integer import IntegerForm

onnxruntime = pytest.importorskip("onnxruntime", reason="its wheels start at Python 3.11")


def session(path: Path, *, outputs=(), options: dict[str, str] | None = None):
    """An onnxruntime session on one thread, with further values of the graph as outputs."""
    if outputs:
        model = onnx.load(path, load_external_data=False)
        model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in outputs)
        path = path.with_name("asked.onnx")
        onnx.save(model, path)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1
    settings.log_severity_level = 3
    for key, value in (options or {}).items():
        settings.add_session_config_entry(key, value)
    return onnxruntime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])


def feed(image: Image, tokens, *, past=None, attention_mask=None, position_ids=None):
    """Inputs of a graph for ``[batch, sequence]`` tokens; ``past`` is the last outputs by name."""
    tokens = np.atleast_2d(np.asarray(tokens, np.int64))
    batch, sequence = tokens.shape
    config = image.config
    empty = np.zeros((batch, config.kv_heads, 0, config.head_size), np.float32)
    caches = {
        f"past_key_values.{layer}.{kind}": (past or {}).get(f"present.{layer}.{kind}", empty)
        for layer in range(config.layers)
        for kind in ("key", "value")
    }
    before = next(iter(caches.values())).shape[2]
    if attention_mask is None:
        attention_mask = np.ones((batch, before + sequence), np.int64)
    if position_ids is None:
        position_ids = np.arange(before, before + sequence)[None].repeat(batch, 0)
    inputs = {"attention_mask": attention_mask, "position_ids": position_ids}
    return {"input_ids": tokens, **inputs, **caches}


def run(session, inputs) -> dict[str, np.ndarray]:
    """All outputs by name."""
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


def emulator_logits(image: Image, tokens) -> np.ndarray:
    """The device's logits of every position, float32 ``[sequence, vocab_size]``."""
    nodes = len(tokens)
    device = EmulatorDevice(image, nodes=nodes)
    ask = Ask(logits=tuple(range(nodes)))
    result = device.run_pass(tokens, parents=range(-1, nodes - 1), base=0, ask=ask)
    return np.stack([result.logits[node] for node in range(nodes)])


def evaluate(record, *inputs: np.ndarray) -> np.ndarray:
    """The output of what ``record(graph, *values)`` makes of values of the inputs' types."""
    graph = GraphTape()
    values = [
        ir.Value(
            name=f"x{index}",
            type=ir.TensorType(ir.DataType.from_numpy(array.dtype)),
            shape=ir.Shape(array.shape),
        )
        for index, array in enumerate(inputs)
    ]
    output = record(graph, *values)
    model = ir.Model(
        ir.Graph(
            values,
            [output],
            nodes=graph.nodes,
            initializers=graph.initializers,
            opset_imports={"": IntegerForm.OPSET},
            name="part",
        ),
        ir_version=IntegerForm.IR_VERSION,
    )
    part = onnxruntime.InferenceSession(ir.to_proto(model).SerializeToString())
    return part.run(None, {f"x{index}": array for index, array in enumerate(inputs)})[0]
