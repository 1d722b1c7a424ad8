"""The graph of a pass: token ids and past keys and values to logits and present ones."""

from collections.abc import Sequence

import onnx_ir as ir

from tercel.config import ModelConfig
from tercel_export.model_tensors import ModelTensors
from tercel_export.onnx.arithmetic import Activations, Arithmetic
from tercel_export.onnx.attention import Attention
from tercel_export.onnx.form import Form
from tercel_export.onnx.graph import GraphTape
from tercel_export.onnx.metadata import properties
from tercel_export.onnx.positions import Positions, fixed_positions, free_positions

__all__ = ["cache_names", "decoder_model", "fixed_model"]


def cache_names(layer: int | str, kind: str) -> tuple[str, str]:
    """Names of a layer's past and present ``key`` or ``value``, as onnxruntime-genai expects."""
    return f"past_key_values.{layer}.{kind}", f"present.{layer}.{kind}"


def decoder_model(tensors: ModelTensors, form: type[Form]) -> ir.Model:
    """The ONNX model of tensors, which are read when it is saved.

    Inputs are ``input_ids``, ``attention_mask`` and ``position_ids``, int64, and the past; outputs
    are ``logits`` and the present. Batch, sequence and past are free.
    """
    config, graph = tensors.config, GraphTape()
    inputs = {
        name: _value(name, ir.DataType.INT64, "batch", extent)
        for name, extent in (
            ("input_ids", "sequence"),
            ("attention_mask", "total"),
            ("position_ids", "sequence"),
        )
    }
    pasts = [
        (_cache(config, layer, "key"), _cache(config, layer, "value"))
        for layer in range(config.layers)
    ]
    positions = free_positions(graph, tensors, **inputs)
    logits, presents = _pass(graph, tensors, form, inputs["input_ids"], pasts, positions)
    _declare(logits, ir.DataType.FLOAT, "batch", "sequence", config.vocab_size)
    for present in presents:
        _declare(present, *_cache_type(config, "total"))
    past_inputs = [past for pair in pasts for past in pair]
    return _model(graph, config, form, [*inputs.values(), *past_inputs], [logits, *presents])


def fixed_model(tensors: ModelTensors, form: type[Form], sequence: int) -> ir.Model:
    """The ONNX model of one text's first positions, all shapes fixed, without a past.

    The input is ``input_ids``, int64 ``[1, sequence]``, the output ``logits``.
    """
    config, graph = tensors.config, GraphTape()
    tokens = _value("input_ids", ir.DataType.INT64, 1, sequence)
    positions = fixed_positions(graph, tensors, sequence)
    pasts = [(None, None)] * config.layers
    logits, _ = _pass(graph, tensors, form, tokens, pasts, positions)
    _declare(logits, ir.DataType.FLOAT, 1, sequence, config.vocab_size)
    return _model(graph, config, form, [tokens], [logits])


def _pass(
    graph: GraphTape,
    tensors: ModelTensors,
    form: type[Form],
    tokens: ir.Value,
    pasts: Sequence[tuple[ir.Value | None, ir.Value | None]],
    positions: Positions,
) -> tuple[ir.Value, list[ir.Value]]:
    """Record all layers and the head; return the logits and the keys and values of each layer."""
    config = tensors.config
    products, arithmetic = form(tensors, graph), form.ARITHMETIC(graph, config)
    attention = Attention(graph, arithmetic, config, positions)
    stream = products.embed(tokens)
    presents: list[ir.Value] = []
    for layer, past in enumerate(pasts):
        block = _Block(graph, arithmetic, products, config, layer)
        attended, present = attention.layer(layer, block.qkv(stream), past)
        presents += present
        stream = block.add_output(stream, attended)
        stream = block.add_mlp(stream)
    width = config.hidden_size
    x = arithmetic.norm_quantise(stream, products.gain("norm", width), width, "norm.int8")
    return products.head(x), presents


def _model(
    graph: GraphTape,
    config: ModelConfig,
    form: type[Form],
    inputs: list[ir.Value],
    outputs: list[ir.Value],
) -> ir.Model:
    return ir.Model(
        ir.Graph(
            inputs,
            outputs,
            nodes=graph.nodes,
            initializers=graph.initializers,
            opset_imports={"": form.OPSET} | ({form.DOMAIN: 1} if form.DOMAIN else {}),
            name=config.name,
        ),
        ir_version=form.IR_VERSION,
        producer_name="tercel",
        metadata_props=properties(config, form.NAME),
    )


class _Block:
    """The linears and the MLP of one layer."""

    def __init__(
        self,
        graph: GraphTape,
        arithmetic: Arithmetic,
        products: Form,
        config: ModelConfig,
        layer: int,
    ):
        self._graph = graph
        self._arithmetic = arithmetic
        self._products = products
        self._config = config
        self._prefix = f"layers.{layer}"

    def qkv(self, stream: ir.Value) -> tuple[ir.Value, ir.Value, ir.Value]:
        x = self._normalised(stream, "attention_norm")
        return self._linear("q", x), self._linear("k", x), self._linear("v", x)

    def add_output(self, stream: ir.Value, attended: ir.Value) -> ir.Value:
        x = self._requantised(attended, "attention_sub_norm")
        return self._graph.op("Add", stream, self._linear("o", x))

    def add_mlp(self, stream: ir.Value) -> ir.Value:
        graph = self._graph
        x = self._normalised(stream, "mlp_norm")
        gate, up = self._linear("gate", x), self._linear("up", x)
        if self._config.activation == "silu":
            active = self._arithmetic.silu(gate)
        else:
            positive = graph.op("Relu", gate)
            active = graph.op("Mul", positive, positive)
        x = self._requantised(graph.op("Mul", active, up), "mlp_sub_norm")
        return graph.op("Add", stream, self._linear("down", x))

    def _linear(self, part: str, x: Activations) -> ir.Value:
        return self._products.linear(f"{self._prefix}.{part}", x)

    def _normalised(self, x: ir.Value, norm: str) -> Activations:
        name = f"{self._prefix}.{norm}"
        width = self._config.norms()[norm]
        gain = self._products.gain(name, width)
        return self._arithmetic.norm_quantise(x, gain, width, f"{name}.int8")

    def _requantised(self, x: ir.Value, sub_norm: str) -> Activations:
        if self._config.sub_norms:
            return self._normalised(x, sub_norm)
        return self._arithmetic.quantise(x, f"{self._prefix}.{sub_norm}.int8")


def _value(name: str, dtype: ir.DataType, *shape: int | str) -> ir.Value:
    return _declare(ir.Value(name=name), dtype, *shape)


def _declare(value: ir.Value, dtype: ir.DataType, *shape: int | str) -> ir.Value:
    value.dtype = dtype
    value.shape = ir.Shape(shape)
    return value


def _cache(config: ModelConfig, layer: int, kind: str) -> ir.Value:
    return _value(cache_names(layer, kind)[0], *_cache_type(config, "past"))


def _cache_type(config: ModelConfig, extent: str) -> tuple[ir.DataType, str, int, str, int]:
    return ir.DataType.FLOAT, "batch", config.kv_heads, extent, config.head_size
