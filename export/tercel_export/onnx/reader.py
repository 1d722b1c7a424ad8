"""Reading of the ONNX models that this package writes: the same bits as in the image."""

from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from tercel.config import ModelConfig
from tercel.errors import TercelError
from tercel.numerics import flush, rope_table
from tercel_export.onnx.decoder import decoder_model
from tercel_export.onnx.dequantized import DequantizedForm
from tercel_export.onnx.form import ReadableForm
from tercel_export.onnx.integer import IntegerForm
from tercel_export.onnx.metadata import CONFIG, FORM, VERSION, VERSION_KEY
from tercel_export.onnx.n_bits import NBitsForm

__all__ = ["OnnxModel"]

FORMS: dict[str, type[ReadableForm]] = {
    form.NAME: form for form in (IntegerForm, NBitsForm, DequantizedForm)
}
CONSTANT = "constant_"


class OnnxModel:
    """An exported ONNX model, opened for its weights, which are read one tensor at a time.

    Its graph must be the one that :func:`decoder_model` makes for the config in its metadata, so
    that no change of the graph is lost without a word.

    Parameters
    ----------
    path
        The ``*.onnx`` file; its external data lie beside it.

    Raises
    ------
    TercelError
        If the file is damaged, was not written by ``tercel export``, or was changed since.
    """

    def __init__(self, path: Path):
        self._path = path
        try:
            self._model = ir.load(path)
        except Exception as error:  # protobuf and onnx-ir raise nothing narrower
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise TercelError(f"{path} is no readable ONNX model: {reason}") from None
        self._form = self._find_form()
        self._config = ModelConfig.from_json(self._model.metadata_props[CONFIG])
        self._check_graph()

    @property
    def config(self) -> ModelConfig:
        return self._config

    @property
    def form(self) -> str:
        """The format's name, such as ``onnx-dq``."""
        return self._form.NAME

    def ternary(self, name: str) -> npt.NDArray[np.int8]:
        """Trits ``[rows, columns]`` of a matrix such as ``layers.0.q``.

        Raises
        ------
        TercelError
            If a value is no trit, or the data are cut short.
        """
        shape = self._config.linears()[name.rpartition(".")[2]]
        trits = self._form.decode_matrix(self._read, name, shape)
        if trits.min() < -1 or trits.max() > 1:
            self._refuse(f"{name} holds values other than -1, 0 and 1, so the file is damaged")
        return trits

    def weight_scale(self, name: str) -> np.float32:
        return np.float32(self._read(f"{name}.scale"))

    def gain(self, name: str) -> npt.NDArray[np.float32]:
        return self._read(name)

    def rows(self, name: str) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
        shape = self._config.vocab_size, self._config.hidden_size
        return self._form.decode_rows(self._read, name, shape)

    def rope(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        return self._read("rope.cosine"), self._read("rope.sine")

    def _refuse(self, reason: str) -> NoReturn:
        raise TercelError(f"{self._path}: {reason}")

    def _find_form(self) -> type[ReadableForm]:
        found = self._model.metadata_props
        if missing := [key for key in (FORM, VERSION_KEY, CONFIG) if key not in found]:
            self._refuse(
                f"its metadata lack {', '.join(missing)}, so `tercel export` did not write it; the "
                "graph of another tool does not tell which of its tensors is which, so give the "
                "checkpoint that it was made from"
            )
        if found[FORM] not in FORMS:
            self._refuse(
                f"it has the form {found[FORM]!r}, but {', '.join(FORMS)} are read; export the "
                "image again"
            )
        if found[VERSION_KEY] != VERSION:
            self._refuse(
                f"its graph has the version {found[VERSION_KEY]!r}, but this tercel reads "
                f"{VERSION}; export the image again"
            )
        return FORMS[found[FORM]]

    def _check_graph(self) -> None:
        expected = decoder_model(self, self._form)
        for what in (_signatures, _tensors):
            wanted, found = list(what(expected.graph)), list(what(self._model.graph))
            if wanted != found:
                different = [entry for entry in found if entry not in wanted] or [
                    entry for entry in wanted if entry not in found
                ]
                detail = f": {different[0]}" if different else ""
                self._refuse(
                    "its graph is not the one that tercel writes for its config, so it was changed "
                    f"or damaged{detail}"
                )
        if dict(self._model.opset_imports) != dict(expected.opset_imports):
            self._refuse(f"its operator sets are {dict(self._model.opset_imports)}")
        for name, value in expected.graph.initializers.items():
            if name.startswith(CONSTANT):
                constant = value.const_value
                assert constant is not None
                if not np.array_equal(constant.numpy(), self._read(name), equal_nan=True):
                    self._refuse(f"the constant {name} was changed")
        config = self._config
        table = rope_table(config.context, config.head_size, config.rope_base, config.rope_factors)
        if not all(map(np.array_equal, map(flush, table), self.rope())):
            self._refuse("its RoPE table is not that of its config, so it was changed")

    def _read(self, name: str) -> npt.NDArray:
        """Values of an initializer; packed bytes of types below 8 bits."""
        tensor = self._model.graph.initializers[name].const_value
        assert tensor is not None
        try:
            if tensor.dtype.bitwidth < 8:
                values = np.frombuffer(tensor.tobytes(), np.uint8)
            else:
                values = np.array(tensor.numpy())
        except Exception as error:  # a missing or short file is no narrower error in onnx-ir
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            self._refuse(f"{name} cannot be read, its data are missing or cut short: {reason}")
        weights = values.dtype == np.float32 and not name.startswith(CONSTANT)
        if weights and not np.isfinite(values).all():
            self._refuse(f"{name} holds values that are not finite, so the file is damaged")
        return values


def _signatures(graph: ir.Graph) -> Iterator[tuple]:
    """Inputs, outputs and nodes, in order, with all that changes what is computed."""
    for value in (*graph.inputs, *graph.outputs):
        yield value.name, value.dtype, str(value.shape)
    for node in graph:
        attributes = sorted((key, _plain(entry.value)) for key, entry in node.attributes.items())
        yield (
            node.domain,
            node.op_type,
            tuple(None if value is None else value.name for value in node.inputs),
            tuple(value.name for value in node.outputs),
            tuple(attributes),
        )


def _tensors(graph: ir.Graph) -> Iterator[tuple]:
    """Name, type and shape of every initializer, sorted."""
    for name, value in sorted(graph.initializers.items()):
        tensor = value.const_value
        assert tensor is not None
        yield name, tensor.dtype.name, tuple(tensor.shape)


def _plain(value: object) -> object:
    """An attribute's value in a form that compares; onnx reads lists as tuples, for instance."""
    return tuple(value) if isinstance(value, (list, tuple)) else value
