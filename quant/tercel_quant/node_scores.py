"""Predictions of a device after the tokens of a sequence."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tercel.device import Ask, Device

__all__ = ["NodeScore", "node_scores"]


@dataclass(frozen=True, kw_only=True)
class NodeScore:
    """The prediction after one token."""

    logits: npt.NDArray[np.float32]
    argmax: int
    """The token of the highest logit, as greedy decoding takes it."""

    @property
    def log_sum(self) -> float:
        """The logarithm of the sum of all exponentials, in float64."""
        logits = self.logits.astype(np.float64)
        top = logits.max()
        return float(np.log(np.exp(logits - top).sum()) + top)

    def log_probabilities(self, tokens: Sequence[int]) -> npt.NDArray[np.float64]:
        """Natural logarithms of the probabilities of tokens, ``[len(tokens)]``."""
        return self.logits[list(tokens)].astype(np.float64) - self.log_sum


def node_scores(device: Device, tokens: Sequence[int], count: int) -> Iterator[NodeScore]:
    """Append tokens to the cache, K a pass, and yield the predictions after the last ``count``.

    Only the passes of those run the head. Read each score before the next one.

    Raises
    ------
    TercelError
        If a token is unknown or they exceed the context.
    """
    first = len(tokens) - count
    device.prefill(tokens[:first])
    for start in range(first, len(tokens), device.limits.nodes):
        nodes = tokens[start : start + device.limits.nodes]
        answer = device.run_pass(nodes, ask=Ask(logits=tuple(range(len(nodes)))))
        device.commit(range(len(nodes)))
        assert answer.argmax is not None
        for node in range(len(nodes)):
            yield NodeScore(logits=answer.logits[node], argmax=int(answer.argmax[node]))
