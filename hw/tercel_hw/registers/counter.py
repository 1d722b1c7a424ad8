"""Wide counters with adders of half their width."""

from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tercel_hw.checks import check_integer

__all__ = ["Counter", "CounterConfig"]


@dataclass(frozen=True, kw_only=True)
class CounterConfig:
    """Widths of a :class:`Counter`.

    Raises
    ------
    ValueError
        If a width breaks its rule.
    """

    step_width: int = 1
    half_width: int = 32
    """Half the width of the value, at least that of a step."""

    def __post_init__(self):
        check_integer("half_width", self.half_width, 1, 64)
        check_integer("step_width", self.step_width, 1, self.half_width)


class Counter(wiring.Component):
    """Accumulator in two halves with a registered carry, which ``value`` already includes.

    The upper half is cleared a cycle later than the lower one, so that not all counters hang on one
    net; ``value`` hides it.

    Latency: ``LATENCY`` from a step to a value that has it.

    Parameters
    ----------
    config
        Widths of the counter.

    Members
    -------
    step : in
        Number to add in this cycle.
    clear : in
        Zero the value, whatever the step.
    value : out
        The sum of the steps.
    """

    LATENCY = 1

    step: Signal
    clear: Signal
    value: Signal

    def __init__(self, *, config: CounterConfig):
        self._config = config
        super().__init__(
            {"step": In(config.step_width), "clear": In(1), "value": Out(2 * config.half_width)}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        half = self._config.half_width
        low, high, cleared = Signal(half + 1), Signal(half, reset_less=True), Signal(init=1)
        carry = low[half]
        m.d.sync += cleared.eq(self.clear)
        m.d.sync += [low.eq(low[:half] + self.step), high.eq(high + carry)]
        with m.If(self.clear):
            m.d.sync += low.eq(0)
        with m.If(cleared):
            m.d.sync += high.eq(0)
        kept = high & (~cleared).replicate(half)
        m.d.comb += self.value.eq(Cat(low[:half], Mux(carry, kept + 1, kept)))
        return m
