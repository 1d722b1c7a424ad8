"""The lockstep test of the simulated accelerator and the emulator, equal in every bit."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields

import numpy as np
import numpy.typing as npt

from tercel.device import Ask, KVCache, PassResult
from tercel.device.emulator import EmulatorDevice
from tercel_sim.rtl_device import RtlDevice

__all__ = ["Lockstep", "MismatchError"]


class MismatchError(AssertionError):
    """The accelerator's bits differ from the emulator's."""


class Lockstep:
    """Runs every pass on both devices and compares their results and caches.

    Parameters
    ----------
    rtl
        The simulated accelerator.
    emulator
        The emulator with the same model at the same position.

    Attributes
    ----------
    passes : int
        Number of compared passes.

    Raises
    ------
    MismatchError
        By every method that runs passes; the message names the differences.
    """

    def __init__(self, rtl: RtlDevice, emulator: EmulatorDevice):
        self.rtl, self.emulator = rtl, emulator
        self.passes = 0

    def run_pass(
        self, tokens: Sequence[int | None] | None = None, *, ask: Ask = Ask(), **arguments
    ) -> PassResult:
        """Run a pass on both devices, with the arguments of their ``run_pass``."""
        mine = self.rtl.run_pass(tokens, ask=ask, **arguments)
        golden = self.emulator.run_pass(tokens, ask=ask, **arguments)
        for name, where in _differences(mine, golden):
            raise MismatchError(
                f"{name} of a pass after {self.rtl.length} positions differs{where}"
            )
        played = [attention for attention, _ in ask.layer_mask or ()]
        self._compare_cache(self.rtl.length + golden.counters.nodes, played)
        self.passes += 1
        return golden

    def commit(self, path: Sequence[int]) -> None:
        for device in (self.rtl, self.emulator):
            device.commit(path)
        self._compare_cache(self.rtl.length, ())

    def step(self, tokens: Sequence[int | None], *, path: Sequence[int] | None = None, **arguments):
        """Run a pass and commit a path, by default all nodes."""
        result = self.run_pass(tokens, **arguments)
        self.commit(range(len(tokens)) if path is None else path)
        return result

    def prefill(self, tokens: Sequence[int]) -> None:
        for device in (self.rtl, self.emulator):
            device.prefill(tokens)
        self._compare_cache(self.rtl.length, ())
        self.passes += -(-len(tokens) // self.rtl.limits.nodes)

    def restore(self, cache: KVCache, length: int) -> None:
        for device in (self.rtl, self.emulator):
            device.restore(cache, length)
        self._compare_cache(self.rtl.length, ())

    def reset(self) -> None:
        for device in (self.rtl, self.emulator):
            device.reset()

    def rewind(self, length: int) -> None:
        for device in (self.rtl, self.emulator):
            device.rewind(length)

    def _compare_cache(self, positions: int, played: Sequence[bool]) -> None:
        """Compare the first positions of all layers, or of those whose attention was played."""
        for layer in range(self.rtl.config.layers):
            if played and not played[layer]:
                continue
            mine = self.rtl.read_cache(layer, positions)
            golden = self.emulator.read_cache(layer, positions)
            for field in fields(golden):
                where = _first_difference(getattr(mine, field.name), getattr(golden, field.name))
                if where:
                    raise MismatchError(f"{field.name} of layer {layer} in the cache{where}")


def _differences(mine: PassResult, golden: PassResult) -> Iterator[tuple[str, str]]:
    """Yield the names of unequal fields and their first differences."""
    for field in fields(golden):
        if not field.compare:
            continue
        a, b = getattr(mine, field.name), getattr(golden, field.name)
        where = ""
        if (a is None) != (b is None):
            where = ": there is one" if b is None else ": there is none"
        elif isinstance(b, Mapping):
            if a.keys() != b.keys():
                where = f": of the nodes {sorted(a)} instead of {sorted(b)}"
            for key in a.keys() & b.keys():
                if difference := _first_difference(a[key], b[key]):
                    where = where or f" for node {key}{difference}"
        elif isinstance(b, np.ndarray):
            where = _first_difference(a, b)
        elif a != b:
            where = f": {a!r} instead of {b!r}"
        if where:
            yield field.name, where


def _first_difference(a: npt.NDArray, b: npt.NDArray) -> str:
    """Describe the first difference in the bits of two arrays; empty if there is none."""
    if a.dtype != b.dtype or a.shape != b.shape:
        return f": {a.dtype} {a.shape} instead of {b.dtype} {b.shape}"
    bits = np.dtype(f"u{b.dtype.itemsize}")
    mine, golden = (np.ascontiguousarray(each).view(bits) for each in (a, b))
    differing = np.argwhere(mine != golden)
    if not len(differing):
        return ""
    place = tuple(differing[0].tolist())
    digits = 2 + 2 * b.dtype.itemsize
    values = [
        f"{values[place]} ({int(raw[place]):#0{digits}x})"
        for values, raw in ((a, mine), (b, golden))
    ]
    return f" at {list(place)}: {' instead of '.join(values)}"
