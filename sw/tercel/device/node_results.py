"""Results of a pass by node, read from the device when they are used."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from tercel.errors import TercelError
from tercel.numerics.float32 import Float32

__all__ = ["NodeResults"]

Rows = npt.NDArray[np.integer]


class NodeResults(Mapping[int, Float32]):
    """Arrays ``[n]`` by node, such as logits. Those that nobody uses are never read.

    Raises
    ------
    TercelError
        If a result is read too late, after :meth:`expire`.

    Parameters
    ----------
    nodes
        The nodes that have a result.
    read
        Returns a node's result: the whole array, or the elements of the given rows.
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
        """Elements of a node's result; only these are read."""
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
                "the device's next pass has replaced these results; read them before it, all of "
                "them with dict(result.logits) or dict(result.hidden)"
            )
