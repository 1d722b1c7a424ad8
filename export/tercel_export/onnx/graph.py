"""A graph under construction: nodes, constants and the model's tensors."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

__all__ = ["GraphTape"]


class GraphTape:
    """Nodes and initializers in the order in which they are recorded.

    The values of the model's tensors are read when the graph is saved, one at a time.
    """

    def __init__(self):
        self._tape = ir.tape.Tape()
        self._constants: dict[tuple, ir.Value] = {}

    @property
    def nodes(self) -> tuple[ir.Node, ...]:
        return tuple(self._tape.nodes)

    @property
    def initializers(self) -> tuple[ir.Value, ...]:
        return tuple(self._tape.initializers)

    def op(
        self,
        kind: str,
        *inputs: ir.Value | None,
        name: str | None = None,
        domain: str = "",
        **attributes: int | float | str | list[int] | ir.DataType,
    ) -> ir.Value:
        """Record a node with one output.

        Parameters
        ----------
        name
            Name of the output; by default one of the kind and the number of nodes.
        """
        name = name or f"{kind}_{len(self._tape.nodes)}"
        output = ir.Value(name=name)
        return self._tape.op(
            kind, inputs, attributes, domain=domain, name=f"node_{name}", output=output
        )

    def split(self, x: ir.Value, parts: int, axis: int) -> tuple[ir.Value, ...]:
        """Record the division of a value into equal parts along an axis."""
        name = f"Split_{len(self._tape.nodes)}"
        outputs = [ir.Value(name=f"{name}.{part}") for part in range(parts)]
        return tuple(
            self._tape.op_multi_out(
                "Split",
                [x],
                {"axis": axis, "num_outputs": parts},
                outputs=outputs,
                name=f"node_{name}",
            )
        )

    def constant(self, values: npt.ArrayLike, dtype: npt.DTypeLike = np.float32) -> ir.Value:
        """A small initializer; equal constants are one."""
        array = np.asarray(values, dtype)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            name = f"constant_{len(self._constants)}"
            self._constants[key] = self._tape.initializer(ir.tensor(array, name=name))
        return self._constants[key]

    def tensor(
        self,
        name: str,
        shape: tuple[int, ...],
        read: Callable[[], npt.NDArray],
        dtype: ir.DataType = ir.DataType.FLOAT,
    ) -> ir.Value:
        """An initializer whose values ``read`` returns when the graph is saved.

        For types below 8 bits ``read`` returns the packed bytes, uint8.
        """

        def load() -> ir.TensorProtocol:
            if dtype.bitwidth < 8:
                return ir.PackedTensor(read(), dtype, shape=shape, name=name)
            return ir.tensor(read(), dtype=dtype, name=name)

        return self._tape.initializer(ir.LazyTensor(load, dtype, ir.Shape(shape), name=name))

    def cast(self, x: ir.Value, to: ir.DataType, name: str | None = None) -> ir.Value:
        return self.op("Cast", x, name=name, to=to)

    def reshape(self, x: ir.Value, *shape: int) -> ir.Value:
        """Record a reshape; 0 keeps an axis, -1 is what is left."""
        return self.op("Reshape", x, self.constant(shape, np.int64))

    def unsqueeze(self, x: ir.Value, *axes: int) -> ir.Value:
        return self.op("Unsqueeze", x, self.constant(axes, np.int64))

    def transpose(self, x: ir.Value, *order: int) -> ir.Value:
        return self.op("Transpose", x, perm=list(order))
