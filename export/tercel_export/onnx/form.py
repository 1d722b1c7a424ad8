"""Forms of an ONNX export: how the products of a graph are written."""

import abc
from collections.abc import Callable
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from tercel_export.model_tensors import ModelTensors
from tercel_export.onnx.arithmetic import Activations, Arithmetic
from tercel_export.onnx.graph import GraphTape

__all__ = ["Form", "ReadableForm", "Reader"]


Reader = Callable[[str], npt.NDArray]
"""The values of an initializer by its name; packed bytes of types below 8 bits."""


class Form(abc.ABC):
    """Products of int8 activations with the model's matrices.

    A form names its initializers as docs/export.md says: a matrix or rows by the canonical name,
    scales by the name and ``.scale`` or ``.scales``.

    Parameters
    ----------
    model
    graph
        The graph in which the nodes are recorded.
    """

    NAME: ClassVar[str]
    ARITHMETIC: ClassVar[type[Arithmetic]]
    OPSET: ClassVar[int]
    DOMAIN: ClassVar[str | None] = None
    """Domain of the operators that are not ONNX's own, version 1."""
    IR_VERSION: ClassVar[int]
    ADVICE: ClassVar[str] = ""
    """A line for the user about the tools that run this form."""

    def __init__(self, model: ModelTensors, graph: GraphTape):
        self._model = model
        self._graph = graph

    @abc.abstractmethod
    def linear(self, name: str, x: Activations) -> ir.Value:
        """The outputs of a ternary matrix such as ``layers.0.q``, float32 ``[..., rows]``."""

    @abc.abstractmethod
    def head(self, x: Activations) -> ir.Value:
        """The logits, float32 ``[..., vocab_size]``, named ``logits``."""

    def embed(self, tokens: ir.Value) -> ir.Value:
        """Embedding rows of token ids, float32 ``[..., hidden_size]``."""
        graph = self._graph
        rows, scales = self._rows("embedding")
        values = graph.cast(graph.op("Gather", rows, tokens), ir.DataType.FLOAT)
        chosen = graph.op("Gather", scales, tokens)
        return graph.op("Mul", values, graph.unsqueeze(chosen, -1))

    def gain(self, name: str, width: int) -> ir.Value:
        return self._graph.tensor(name, (width,), lambda: self._model.gain(name))

    def _shape(self, name: str) -> tuple[int, int]:
        """Rows and columns of a ternary matrix."""
        return self._model.config.linears()[name.rpartition(".")[2]]

    def _weight_scale(self, name: str) -> ir.Value:
        return self._graph.tensor(
            f"{name}.scale", (), lambda: np.asarray(self._model.weight_scale(name))
        )

    def _rows(self, name: str) -> tuple[ir.Value, ir.Value]:
        """The rows of ``embedding`` or ``head`` and their scales; recorded once if tied."""
        name = "embedding" if self._model.config.tied_head else name
        known = {value.name: value for value in self._graph.initializers}
        if name in known:
            return known[name], known[f"{name}.scales"]
        return self._record_rows(name)

    def _record_rows(self, name: str) -> tuple[ir.Value, ir.Value]:
        """Int8 rows ``[vocab_size, hidden_size]`` and scales ``[vocab_size]``."""
        config, model, graph = self._model.config, self._model, self._graph
        shape = config.vocab_size, config.hidden_size
        rows = graph.tensor(name, shape, lambda: model.rows(name)[0], ir.DataType.INT8)
        return rows, graph.tensor(f"{name}.scales", shape[:1], lambda: model.rows(name)[1])

    def _dequantised(self, product: ir.Value, *factors: ir.Value, name: str) -> ir.Value:
        """A product times each factor, in their order; the last has the name."""
        for factor in factors[:-1]:
            product = self._graph.op("Mul", product, factor)
        return self._graph.op("Mul", product, factors[-1], name=name)


class ReadableForm(Form):
    """A form of whose initializers the trits and integers are read again."""

    @staticmethod
    @abc.abstractmethod
    def decode_matrix(read: Reader, name: str, shape: tuple[int, int]) -> npt.NDArray[np.int8]:
        """The weights ``[rows, columns]`` of a matrix from its initializer.

        They are trits, or other small integers if the file is damaged.
        """

    @staticmethod
    def decode_rows(
        read: Reader, name: str, shape: tuple[int, int]
    ) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
        """Rows and scales from their initializers; ``name`` is ``embedding`` or ``head``."""
        return read(name), read(f"{name}.scales")
