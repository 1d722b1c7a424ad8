"""Evaluation of combinational Amaranth expressions."""

from collections.abc import Callable, Iterable

from amaranth.hdl import Module, Signal
from amaranth.sim import Simulator

__all__ = ["evaluate"]


def evaluate(make: Callable, widths: tuple[int, ...], rows: Iterable[tuple[int, ...]]) -> list:
    """Value of ``make(*signals)`` for each row of operands; a tuple if it is a tuple."""
    operands = [Signal(width) for width in widths]
    found = make(*operands)
    parts = found if isinstance(found, tuple) else (found,)
    m = Module()
    outputs = []
    for part in parts:
        outputs.append(Signal.like(part))
        m.d.comb += outputs[-1].eq(part)
    results = []

    async def bench(ctx):
        for row in rows:
            for operand, value in zip(operands, row, strict=True):
                ctx.set(operand, value)
            values = tuple(ctx.get(each) for each in outputs)
            results.append(values if isinstance(found, tuple) else values[0])

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
    return results
