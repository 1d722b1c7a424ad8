"""Benches of single blocks in Amaranth's own simulator, always with a cycle limit."""

import contextlib
import random
from collections.abc import Callable, Iterable

from amaranth.hdl import Elaboratable
from amaranth.sim import Simulator

__all__ = ["HangError", "every_cycle", "get_all", "put_all", "random_gaps", "run"]

PERIOD = 1e-6
"""Clock period in seconds; the value does not matter."""
STEP = 32
"""Cycles between two checks for the end of all testbenches."""


class HangError(AssertionError):
    """A testbench did not end within its cycle limit."""


def every_cycle() -> bool:
    """Pattern without gaps."""
    return True


def random_gaps(seed: int, probability: float = 0.5) -> Callable[[], bool]:
    """Return a pattern that is true with a probability, reproducible by its seed."""
    generator = random.Random(seed)
    return lambda: generator.random() < probability


async def put_all(ctx, stream, values: Iterable, pattern: Callable[[], bool] = every_cycle):
    """Offer ``values`` one after the other; once offered, a value stays until it is taken."""
    for value in values:
        while not pattern():
            await ctx.tick()
        ctx.set(stream.payload, value)
        ctx.set(stream.valid, 1)
        await ctx.tick().until(stream.ready)
        ctx.set(stream.valid, 0)


async def get_all(ctx, stream, count: int, pattern: Callable[[], bool] = every_cycle) -> list:
    """Take ``count`` payloads, being ready only when the pattern says so."""
    taken = []
    while len(taken) < count:
        ready = pattern()
        ctx.set(stream.ready, ready)
        _, _, valid, payload = await ctx.tick().sample(stream.valid, stream.payload)
        if ready and valid:
            taken.append(payload)
    ctx.set(stream.ready, 0)
    return taken


def run(
    dut: Elaboratable, *testbenches: Callable, max_cycles: int, trace: str | None = None
) -> list:
    """Run testbenches side by side until all have ended; return what they returned, in order.

    Parameters
    ----------
    max_cycles
        Limit of clock cycles.
    trace
        Path of a VCD file to write, by default none.

    Raises
    ------
    HangError
        At the cycle limit; the message names the testbenches that still wait.
    """
    simulator = Simulator(dut)
    simulator.add_clock(PERIOD)
    results: list = [None] * len(testbenches)
    waiting = set(range(len(testbenches)))

    def wrap(index: int) -> Callable:
        async def wrapped(ctx):
            results[index] = await testbenches[index](ctx)
            waiting.discard(index)

        return wrapped

    for index in range(len(testbenches)):
        simulator.add_testbench(wrap(index))
    with simulator.write_vcd(trace) if trace else contextlib.nullcontext():
        for cycle in range(STEP, max_cycles + STEP, STEP):
            simulator.run_until(cycle * PERIOD)
            if not waiting:
                return results
    names = ", ".join(testbenches[index].__name__ for index in sorted(waiting))
    raise HangError(f"after {max_cycles} cycles these still wait: {names}")
