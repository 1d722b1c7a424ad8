"""The form ``qonnx``: QONNX's ``Quant`` nodes on weights and activations, for FINN."""

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from tercel_export.model_tensors import ModelTensors
from tercel_export.onnx.arithmetic import LIMIT, Activations
from tercel_export.onnx.form import Form
from tercel_export.onnx.graph import GraphTape
from tercel_export.onnx.plain_arithmetic import LEAST, PlainArithmetic

__all__ = ["QuantForm"]

DOMAIN = "qonnx.custom_op.general"


def _quantised(
    graph: GraphTape, x: ir.Value, scale: ir.Value, bits: int, name: str | None = None
) -> ir.Value:
    """Record a ``Quant`` node: signed integers of a symmetric range, times their scale."""
    return graph.op(
        "Quant",
        x,
        scale,
        graph.constant(0),
        graph.constant(bits),
        name=name,
        domain=DOMAIN,
        signed=1,
        narrow=1,
        rounding_mode="ROUND",
    )


def _divisors(scales: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Scales by which ``Quant`` may divide; that of zeros is 0 and may be any."""
    return np.where(scales > 0, scales, np.float32(1))


class QuantArithmetic(PlainArithmetic):
    """Plain arithmetic whose int8 activations come from ``Quant`` nodes, with their scale."""

    def quantise(self, x: ir.Value, name: str | None = None) -> Activations:
        graph = self._graph
        largest = graph.op("Max", self.largest(x), graph.constant(LEAST))
        scale = graph.op("Div", largest, graph.constant(LIMIT))
        return Activations(values=_quantised(graph, x, scale, 8, name), scale=graph.constant(1))


class QuantForm(Form):
    """Float weights that their ``Quant`` nodes leave as they are."""

    NAME = "qonnx"
    ARITHMETIC = QuantArithmetic
    OPSET = 18
    IR_VERSION = 8
    DOMAIN = DOMAIN

    def __init__(self, model: ModelTensors, graph: GraphTape):
        super().__init__(model, graph)
        self._tables: dict[str, ir.Value] = {}

    def linear(self, name: str, x: Activations) -> ir.Value:
        graph, model = self._graph, self._model
        rows, columns = self._shape(name)

        def weights():
            trits = model.ternary(name).T
            return np.ascontiguousarray(trits * model.weight_scale(name))

        floats = graph.tensor(name, (columns, rows), weights)
        ternary = _quantised(graph, floats, self._weight_scale(name), 2)
        product = graph.op("MatMul", x.values, ternary)
        return graph.op("Mul", product, x.scale, name=f"{name}.output")

    def _weight_scale(self, name: str) -> ir.Value:
        return self._graph.tensor(
            f"{name}.scale", (), lambda: _divisors(np.asarray(self._model.weight_scale(name)))
        )

    def head(self, x: Activations) -> ir.Value:
        graph = self._graph
        weights = graph.transpose(self._table("head"), 1, 0)
        return graph.op("Mul", graph.op("MatMul", x.values, weights), x.scale, name="logits")

    def embed(self, tokens: ir.Value) -> ir.Value:
        return self._graph.op("Gather", self._table("embedding"), tokens)

    def _table(self, name: str) -> ir.Value:
        """Rows after their ``Quant`` node, ``[vocab_size, hidden_size]``; recorded once if tied."""
        config, model, graph = self._model.config, self._model, self._graph
        name = "embedding" if config.tied_head else name
        if name not in self._tables:

            def rows():
                values, scales = model.rows(name)
                return values * scales[:, None]

            def scales():
                return _divisors(model.rows(name)[1][:, None])

            table = graph.tensor(name, (config.vocab_size, config.hidden_size), rows)
            scale = graph.tensor(f"{name}.scales", (config.vocab_size, 1), scales)
            self._tables[name] = _quantised(graph, table, scale, 8)
        return self._tables[name]
