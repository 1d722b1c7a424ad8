"""Decoding of any-subset models: one position a pass, or several by speculation.

A pass predicts any positions, each from the first ones of the order that it is given. A draft of k
positions is judged in the order by speculative sampling (arXiv 2302.01318): the emitted law is that
of plain decoding.
"""

import abc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from tercel.errors import TercelError

__all__ = [
    "Conditionals",
    "Decoding",
    "Draft",
    "SelfDraft",
    "decode_plainly",
    "decode_speculatively",
]

Weights = npt.NDArray[Any]
"""``[n]`` probabilities: floats, or exact fractions."""
Draw = Callable[[Weights], int]
"""Draws an index from a distribution; the only source of chance."""
Tokens = npt.NDArray[np.int64]


class Conditionals(Protocol):
    """A model's distributions; each call is one pass."""

    def probabilities(
        self, tokens: Tokens, order: Tokens, *, asked: slice, known: Tokens
    ) -> npt.NDArray[Any]:
        """Distributions of places of the order; see :class:`~.model.AnySubsetModel`."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Decoding:
    """A decoded text."""

    tokens: Tokens
    passes: int
    """Passes of the model."""
    drafted: int = 0
    accepted: int = 0


class Draft(abc.ABC):
    """Proposes tokens for the next positions of the order."""

    passes: int
    """Passes of the model that a draft costs."""
    first_is_right: bool
    """True if the first token comes from the model's own distribution, so that it needs no
    test."""

    @abc.abstractmethod
    def propose(
        self, model: Conditionals, tokens: Tokens, order: Tokens, *, asked: slice, draw: Draw
    ) -> tuple[list[int], list[Weights]]:
        """Drawn tokens for the places ``asked``, and the distribution that each was drawn from.

        A distribution may depend on the tokens that were drafted before it.
        """


class SelfDraft(Draft):
    """The model itself: one pass in which no drafted position sees another."""

    passes = 1
    first_is_right = True

    def propose(
        self, model: Conditionals, tokens: Tokens, order: Tokens, *, asked: slice, draw: Draw
    ) -> tuple[list[int], list[Weights]]:
        known = np.full(asked.stop - asked.start, asked.start)
        q = list(model.probabilities(tokens, order, asked=asked, known=known))
        return [draw(weights) for weights in q], q


def decode_plainly(
    model: Conditionals, tokens: Tokens, order: Tokens, *, prompt: int, draw: Draw
) -> Decoding:
    """Draw one position after the other.

    Parameters
    ----------
    model
    tokens
        ``[length]``, with the tokens of the prompt.
    order
        ``[length]`` positions: those of the prompt, then the others as they shall be drawn.
    prompt
        Positions of the prompt.
    draw
    """
    tokens = _checked(tokens, order, prompt)
    for place in range(prompt, len(order)):
        asked = slice(place, place + 1)
        (p,) = model.probabilities(tokens, order, asked=asked, known=np.array([place]))
        tokens[order[place]] = draw(p)
    return Decoding(tokens=tokens, passes=len(order) - prompt)


def decode_speculatively(
    model: Conditionals,
    tokens: Tokens,
    order: Tokens,
    *,
    prompt: int,
    draft: Draft,
    size: int,
    draw: Draw,
) -> Decoding:
    """Draft up to ``size`` positions at a time and judge them in one pass.

    The number of passes is never above that of :func:`decode_plainly`: a draft of the model itself
    gives two tokens or more for its two passes, any other draft at least one for its one pass.

    Raises
    ------
    TercelError
        If ``size`` is below 1, or 1 for a draft that costs a pass.
    """
    if size < 1 + draft.passes:
        raise TercelError(f"this draft takes {1 + draft.passes} positions or more, not {size}")
    tokens = _checked(tokens, order, prompt)
    place, passes, drafted, accepted = prompt, 0, 0, 0
    while place < len(order):
        asked = slice(place, min(place + size, len(order)))
        proposed, q = draft.propose(model, tokens, order, asked=asked, draw=draw)
        passes += draft.passes
        if draft.first_is_right and len(proposed) == 1:
            tokens[order[place]] = proposed[0]
            break
        tokens[order[asked]] = proposed
        known = np.arange(asked.start, asked.stop)
        p = model.probabilities(tokens, order, asked=asked, known=known)
        passes += 1
        drafted += len(proposed)
        for index, token in enumerate(proposed):
            emitted = token
            if index or not draft.first_is_right:
                emitted = judge(token, p[index], q[index], draw)
            tokens[order[place]] = emitted
            place += 1
            if emitted != token:
                break
            accepted += 1
    return Decoding(tokens=tokens, passes=passes, drafted=drafted, accepted=accepted)


def judge(token: int, p: Weights, q: Weights, draw: Draw) -> int:
    """Keep a token drawn from ``q`` with probability ``min(1, p/q)``, else draw what ``p`` has more
    than ``q``; the result has the law ``p``."""
    if p[token] >= q[token]:
        return token
    kept = p[token] / q[token]
    if draw(np.array([kept, 1 - kept])) == 0:
        return token
    more = np.maximum(p - q, 0)
    return draw(more / more.sum())


def _checked(tokens: Tokens, order: Tokens, prompt: int) -> Tokens:
    """A copy of the tokens.

    Raises
    ------
    TercelError
        If the order is no permutation of the positions, or the prompt is longer than the text.
    """
    if sorted(order) != list(range(len(tokens))):
        raise TercelError(f"the order must name each of the {len(tokens)} positions once")
    if not 0 <= prompt <= len(tokens):
        raise TercelError(f"the prompt has 0 to {len(tokens)} positions, not {prompt}")
    return np.array(tokens, np.int64)
