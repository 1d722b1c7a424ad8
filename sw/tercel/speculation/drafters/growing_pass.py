"""A pass that is run again with each node that a draft grows by."""

from collections.abc import Callable, Sequence

from tercel.device import Ask, Device, PassInterruptedError, PassResult

__all__ = ["GrowingPass"]


class GrowingPass:
    """Grows a tree of nodes by passes of a device, with no commit in between.

    Each pass has all nodes so far: keys and values of nodes that were not committed last for one
    pass. A pass of a few nodes takes hardly longer than one of a single node where weights bound
    it.

    Parameters
    ----------
    device
    ask
        From a node, the results wanted of it.
    interrupted
        Asked before each pass; true ends the draft.
    """

    def __init__(self, device: Device, ask: Callable[[int], Ask], interrupted: Callable[[], bool]):
        self._device = device
        self._ask = ask
        self._interrupted = interrupted
        self.tokens: list[int] = []
        self.parents: list[int] = []
        self.complete = False
        """True if the device's pass is that of these nodes."""

    @property
    def room(self) -> int:
        """Nodes by which the pass may still grow."""
        limits = self._device.limits
        most = min(limits.nodes, limits.context - self._device.length)
        return most - len(self.tokens)

    def grow(self, chain: Sequence[int], parent: int) -> tuple[int, PassResult]:
        """Add a chain of tokens behind a node (-1: the cache) and run the pass.

        Returns
        -------
        The last node of the chain, and the results, of which those of this node were asked for.

        Raises
        ------
        PassInterruptedError
            If the pass or the draft was interrupted.
        """
        self.complete = False
        for token in chain:
            self.parents.append(parent)
            self.tokens.append(token)
            parent = len(self.tokens) - 1
        if self._interrupted():
            raise PassInterruptedError
        result = self._device.run_pass(self.tokens, parents=self.parents, ask=self._ask(parent))
        self.complete = True
        return parent, result

    def follow(self, text: Sequence[int]) -> list[int]:
        """The path of nodes, from node 0 on, whose tokens a text begins with."""
        path: list[int] = []
        for token in text[: len(self.tokens)]:
            last = path[-1] if path else -1
            matches = (
                node
                for node, parent in enumerate(self.parents)
                if parent == last and self.tokens[node] == token
            )
            node = next(matches, None)
            if node is None:
                break
            path.append(node)
        return path
