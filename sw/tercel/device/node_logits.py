"""Logits of a pass, read from the device when they are used."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from tercel.numerics.float32 import Float32

__all__ = ["NodeLogits"]

Rows = npt.NDArray[np.integer]


class NodeLogits(Mapping[int, Float32]):
    """Logits ``[rows]`` by node. Those that nobody uses are never read.

    Parameters
    ----------
    nodes
        The nodes whose logits there are.
    read
        Returns a node's logits: all of them, or those of the given rows.
    """

    def __init__(self, nodes: Sequence[int], read: Callable[[int, Rows | None], Float32]):
        self._nodes = tuple(dict.fromkeys(nodes))
        self._read = read
        self._known: dict[int, Float32] = {}

    def __getitem__(self, node: int) -> Float32:
        if node not in self._known:
            if node not in self._nodes:
                raise KeyError(node)
            self._known[node] = self._read(node, None)
        return self._known[node]

    def __iter__(self) -> Iterator[int]:
        return iter(self._nodes)

    def __len__(self) -> int:
        return len(self._nodes)

    def at(self, node: int, rows: Rows) -> Float32:
        """A node's logits of some rows; only these are read."""
        if node in self._known or node not in self._nodes:
            return self[node][rows]
        return self._read(node, rows)

    def load(self) -> None:
        """Read all logits now, before the device forgets them."""
        for node in self._nodes:
            self[node]
