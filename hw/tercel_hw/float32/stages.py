"""The registers between the stages of a pipeline."""

from types import SimpleNamespace

from amaranth.hdl import Module, Signal, Value

__all__ = ["Stages"]


class Stages:
    """Adds a pipeline's registers, mostly without reset and all with one clock enable.

    A call with named values ends a stage; its result has a register of the same name for each.

    Parameters
    ----------
    m
        The module whose ``sync`` domain clocks the registers.
    enable
        While it is low, every register keeps its value.
    """

    def __init__(self, m: Module, enable: Value):
        self._m = m
        self._enable = enable
        self._depth = 0

    def __call__(self, **values: Value) -> SimpleNamespace:
        self._depth += 1
        registers = {
            name: Signal(Value.cast(value).shape(), name=f"{name}_{self._depth}", reset_less=True)
            for name, value in values.items()
        }
        with self._m.If(self._enable):
            self._m.d.sync += [registers[name].eq(value) for name, value in values.items()]
        return SimpleNamespace(**registers)

    def delay(self, value: Value, cycles: int, name: str, *, reset: bool = False) -> Value:
        """Return ``value`` delayed by this many enabled cycles, by a shift register.

        With ``reset`` its registers are cleared at every reset, as valid bits must be.
        """
        for age in range(1, cycles + 1):
            shape = Value.cast(value).shape()
            register = Signal(shape, name=f"{name}_{age}", reset_less=not reset)
            with self._m.If(self._enable):
                self._m.d.sync += register.eq(value)
            value = register
        return value
