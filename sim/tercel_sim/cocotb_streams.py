"""Drivers and monitors of a design's streams in a cocotb bench."""

import itertools
import random
from collections.abc import Iterable, Iterator
from typing import Any

from cocotb.triggers import RisingEdge
from cocotb.types import LogicArray

__all__ = ["flowing", "get", "idle", "pauses", "put"]


def pauses(probability: float, *, seed: int) -> Iterator[bool]:
    """Yield for each cycle True to pause in it; a pause generator of bus models."""
    generator = random.Random(seed)
    return (generator.random() < probability for _ in itertools.count())


def flowing() -> Iterator[bool]:
    """Yield False: never pause."""
    return itertools.repeat(False)


def idle(dut: Any, *, inputs: Iterable[str] = (), outputs: Iterable[str] = ()) -> None:
    """Offer nothing on the design's input streams, take nothing from its output streams."""
    for name in inputs:
        getattr(dut, f"{name}_valid").value = 0
    for name in outputs:
        getattr(dut, f"{name}_ready").value = 0


async def put(
    dut: Any, name: str, payloads: Iterable[int], waiting: Iterator[bool] | None = None
) -> None:
    """Send payloads over an input stream, each after the cycles in which ``waiting`` is true."""
    payload, valid, ready = (
        getattr(dut, f"{name}_{part}") for part in ("payload", "valid", "ready")
    )
    waiting = flowing() if waiting is None else waiting
    for value in payloads:
        while next(waiting):
            await RisingEdge(dut.clk)
        payload.value = value
        valid.value = 1
        await RisingEdge(dut.clk)
        while not ready.value:
            await RisingEdge(dut.clk)
        valid.value = 0


async def get(
    dut: Any, name: str, count: int, waiting: Iterator[bool] | None = None
) -> list[LogicArray | None]:
    """Take ``count`` payloads from an output stream, none in cycles in which ``waiting`` is true.

    A payload of no bits has no port and is returned as ``None``.
    """
    valid, ready = getattr(dut, f"{name}_valid"), getattr(dut, f"{name}_ready")
    payload = getattr(dut, f"{name}_payload", None)
    waiting = flowing() if waiting is None else waiting
    taken = []
    while len(taken) < count:
        ready.value = not next(waiting)
        await RisingEdge(dut.clk)
        if valid.value and ready.value:
            taken.append(None if payload is None else payload.value)
    ready.value = 0
    return taken
