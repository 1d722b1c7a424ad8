"""Logits of a pass, read from the device when they are used."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from tercel.errors import TercelError
from tercel.numerics.float32 import Float32

__all__ = ["NodeLogits"]

Rows = npt.NDArray[np.integer]


class NodeLogits(Mapping[int, Float32]):
    """Logits ``[rows]`` by node. Those that nobody uses are never read.

    Raises
    ------
    TercelError
        If logits are read too late, after :meth:`expire`.

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
        self._expired = False

    def __getitem__(self, node: int) -> Float32:
        if node not in self._known:
            if node not in self._nodes:
                raise KeyError(node)
            self._check_age()
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
        self._check_age()
        return self._read(node, rows)

    def expire(self) -> None:
        """Refuse further reading; what has been read stays."""
        self._expired = True

    def _check_age(self) -> None:
        if self._expired:
            raise TercelError(
                "the device's next pass has replaced these logits; read them before it, all of "
                "them with dict(result.logits)"
            )
