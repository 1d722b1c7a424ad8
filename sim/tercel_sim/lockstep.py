"""The simulated accelerator and the emulator side by side: every bit must be the same."""

from collections.abc import Iterator, Sequence
from dataclasses import fields

import numpy as np
import numpy.typing as npt

from tercel.device import Ask, PassResult
from tercel.device.emulator import EmulatorDevice
from tercel_sim.rtl_device import RtlDevice

__all__ = ["Lockstep", "MismatchError", "cached_rows"]

ROWS = ("keys", "values", "key_scales", "value_scales")
"""What the cache holds of a position, as fields of ``CacheView``."""


class MismatchError(AssertionError):
    """The accelerator has other bits than the emulator."""


def cached_rows(device: RtlDevice, layer: int, positions: int) -> dict[str, npt.NDArray]:
    """The first rows of a layer's cache in the accelerator's memory.

    Returns
    -------
    Keys and values int8 ``[KV heads, positions, head size]``, their scales uint16
    ``[KV heads, positions]``: bfloat16 bits.
    """
    where, board = device.memory_map, device.board
    size = device.config.head_size
    rows = where.layout.words(where.context * size)

    def read(word: int, count: int) -> npt.NDArray[np.uint8]:
        words = board.read(word, where.layout.words(count))
        return np.ascontiguousarray(words).reshape(-1)[:count]

    found = {name: [] for name in ROWS}
    for head in range(device.config.kv_heads):
        block = where.block(layer, head)
        for name, word in (("keys", block), ("values", block + rows)):
            found[name].append(read(word, positions * size).view(np.int8).reshape(-1, size))
        scales = read(block + 2 * rows, 4 * positions).view("<u2").reshape(-1, 2)
        found["key_scales"].append(scales[:, 0])
        found["value_scales"].append(scales[:, 1])
    return {name: np.stack(heads) for name, heads in found.items()}


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

    def reset(self) -> None:
        for device in (self.rtl, self.emulator):
            device.reset()

    def _compare_cache(self, positions: int, played: Sequence[bool]) -> None:
        """Compare the first positions of all layers, or of those whose attention was played."""
        for layer in range(self.rtl.config.layers):
            if played and not played[layer]:
                continue
            golden = self.emulator.cache.view(layer, positions)
            for name, rows in cached_rows(self.rtl, layer, positions).items():
                if not np.array_equal(rows, getattr(golden, name)):
                    differing = np.argwhere(rows != getattr(golden, name))[0].tolist()
                    raise MismatchError(f"{name} of layer {layer} in the cache at {differing}")


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
