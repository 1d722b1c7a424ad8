"""The base class of pipelines without flow control."""

import abc
from collections.abc import Mapping
from typing import ClassVar

from amaranth.hdl import Module, ShapeLike, Signal, Value
from amaranth.lib import wiring

__all__ = ["FLOAT32_BITS", "Primitive", "attach"]

FLOAT32_BITS = 32
"""Width of a float, which is passed as its bits."""


class Primitive(wiring.Component):
    """Base class of the pipelines: a result a cycle, ``LATENCY`` cycles after its operands.

    Subclasses declare their operands' names and shapes and elaborate to a module whose registers
    all have the clock enable ``enable``; cycles in which it is low do not count.

    Members
    -------
    enable : In(1)
    o : Out(result)
        The result; besides there is one input for each operand.
    """

    LATENCY: ClassVar[int]
    enable: Signal
    o: Signal

    def __init__(self, operands: Mapping[str, ShapeLike], result: ShapeLike):
        self._operands = dict(operands)
        self._result = result
        members = {name: wiring.In(shape) for name, shape in operands.items()}
        super().__init__({"enable": wiring.In(1), **members, "o": wiring.Out(result)})

    @abc.abstractmethod
    def elaborate(self, platform: object) -> Module: ...

    @property
    def operands(self) -> dict[str, ShapeLike]:
        """Shapes of the operands by name."""
        return dict(self._operands)

    @property
    def latency(self) -> int:
        """Enabled cycles from the operands to their result."""
        return self.LATENCY

    @property
    def result(self) -> ShapeLike:
        """The shape of ``o``."""
        return self._result


def attach(m: Module, name: str, primitive: Primitive, enable: Value, **operands: Value) -> Signal:
    """Make ``primitive`` a submodule of ``m`` with these operands; return its output."""
    m.submodules[name] = primitive
    m.d.comb += primitive.enable.eq(enable)
    m.d.comb += [getattr(primitive, port).eq(value) for port, value in operands.items()]
    return primitive.o
