"""The simulated accelerator and the emulator side by side: every bit must be the same."""

from collections.abc import Iterator, Sequence
from dataclasses import fields

import numpy as np
import numpy.typing as npt

from tercel.device import Ask, KVCache, PassResult
from tercel.device.emulator import EmulatorDevice
from tercel_sim.rtl_device import RtlDevice

__all__ = ["Lockstep", "MismatchError"]


class MismatchError(AssertionError):
    """The accelerator has other bits than the emulator."""


class Lockstep:
    """Runs every pass on both devices and compares all that they say and keep.

    Parameters
    ----------
    rtl
        The simulated accelerator.
    emulator
        The emulator, with the same model, at the same position.

    Attributes
    ----------
    passes : int
        How many were compared.

    Raises
    ------
    MismatchError
        By every method that runs passes: names what differs.
    """

    def __init__(self, rtl: RtlDevice, emulator: EmulatorDevice):
        self.rtl, self.emulator = rtl, emulator
        self.passes = 0

    def run_pass(
        self, tokens: Sequence[int] | None = None, *, ask: Ask = Ask(), **arguments
    ) -> PassResult:
        """A pass on both; the arguments are those of the devices."""
        mine = self.rtl.run_pass(tokens, ask=ask, **arguments)
        golden = self.emulator.run_pass(tokens, ask=ask, **arguments)
        for name in _differences(mine, golden):
            raise MismatchError(f"{name} of a pass after {self.rtl.length} positions differs")
        played = [attention for attention, _ in ask.layer_mask or ()]
        self._compare_cache(self.rtl.length + golden.counters.nodes, played)
        self.passes += 1
        return golden

    def commit(self, path: Sequence[int]) -> None:
        for device in (self.rtl, self.emulator):
            device.commit(path)
        self._compare_cache(self.rtl.length, ())

    def step(self, tokens: Sequence[int], *, path: Sequence[int] | None = None, **arguments):
        """A pass and the commit of a path, by default of all nodes."""
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

    def _compare_cache(self, positions: int, played: Sequence[bool]) -> None:
        """Compare the first positions of all layers, or of those whose attention was played."""
        for layer in range(self.rtl.config.layers):
            if played and not played[layer]:
                continue
            mine = self.rtl.read_cache(layer, positions)
            golden = self.emulator.cache.view(layer, positions)
            for field in fields(golden):
                differing = np.argwhere(getattr(mine, field.name) != getattr(golden, field.name))
                if len(differing):
                    place = differing[0].tolist()
                    raise MismatchError(f"{field.name} of layer {layer} in the cache at {place}")


def _differences(mine: PassResult, golden: PassResult) -> Iterator[str]:
    """Names of the fields that are not equal."""
    for field in fields(golden):
        a, b = getattr(mine, field.name), getattr(golden, field.name)
        if isinstance(b, dict):
            same = a.keys() == b.keys() and all(_same_bits(a[key], b[key]) for key in b)
        elif isinstance(b, np.ndarray):
            same = _same_bits(a, b)
        else:
            same = a == b
        if not same:
            yield field.name


def _same_bits(a: npt.NDArray, b: npt.NDArray) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
