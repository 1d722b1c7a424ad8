"""A store of n-grams with backoff: contexts, their successors and quantised log-probabilities."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import exp

import numpy as np
import numpy.typing as npt

from tercel.errors import TercelError

__all__ = ["EMPTY_KEY", "STEP", "Candidates", "NgramStore", "context_keys", "extend_key"]

STEP = 1 / 16
"""Nats between neighbouring levels of a log-probability."""
LEVELS = np.arange(256) * -STEP
"""Log-probability of each level."""
EMPTY_KEY = 0x9E3779B9
"""Key of the empty context."""
FACTOR_1, FACTOR_2 = 0x85EBCA6B, 0xC2B2AE35
"""The multipliers of the finaliser of MurmurHash3."""
MASK = (1 << 32) - 1


def extend_key(key: int, token: int) -> int:
    """Key, of 32 bits, of a context with one more token before it."""
    key = (key ^ token) * FACTOR_1 & MASK
    key = (key ^ key >> 13) * FACTOR_2 & MASK
    return key ^ key >> 16


def context_keys(keys: npt.NDArray[np.uint32], tokens: npt.ArrayLike) -> npt.NDArray[np.uint32]:
    """:func:`extend_key` of arrays."""
    keys = (keys ^ np.asarray(tokens).astype(np.uint32)) * np.uint32(FACTOR_1)
    keys = (keys ^ keys >> np.uint32(13)) * np.uint32(FACTOR_2)
    return keys ^ keys >> np.uint32(16)


KEPT = 4096
"""Most tokens whose candidates are kept."""
ARRAYS = ("keys", "starts", "backoffs", "ids", "levels")


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidates:
    """Possible next tokens."""

    ids: npt.NDArray[np.unsignedinteger]
    """``[n]`` tokens. One may stand twice: the first is its probability."""
    log_probabilities: npt.NDArray[np.float64]
    """``[n]``"""
    rest: float
    """Probability of all other tokens."""


@dataclass(frozen=True, kw_only=True, eq=False)
class NgramStore:
    """Successors of contexts of any length, sorted by the contexts' 32-bit keys.

    A context's successors have probabilities whose sum is below 1; the rest, its backoff, is spread
    by the context without its first token. Two contexts with one key cannot both be stored; a
    context that is not stored may be taken for another one, which makes a bad draft and no error.

    Raises
    ------
    TercelError
        If the arrays do not fit together.
    """

    keys: npt.NDArray[np.uint32]
    """``[n]`` rising; the empty context must be among them."""
    starts: npt.NDArray[np.uint32]
    """``[n + 1]`` bounds of the contexts' successors."""
    backoffs: npt.NDArray[np.uint8]
    """``[n]`` levels (:data:`LEVELS`) of the backoff."""
    ids: npt.NDArray[np.unsignedinteger]
    """``[m]`` successors, likeliest first."""
    levels: npt.NDArray[np.uint8]
    """``[m]`` levels of their probabilities."""
    _last_tokens: dict[int, Candidates] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self):
        contexts, successors = len(self.keys), len(self.ids)
        if (
            len(self.starts) != contexts + 1
            or len(self.backoffs) != contexts
            or len(self.levels) != successors
            or self.starts[0] != 0
            or self.starts[-1] != successors
        ):
            raise TercelError("the arrays of an n-gram store do not fit together")
        place = int(np.searchsorted(self.keys, np.uint32(EMPTY_KEY)))
        if place == contexts or self.keys[place] != EMPTY_KEY:
            raise TercelError("an n-gram store must have the empty context")

    @classmethod
    def of_tensors(cls, tensors: Mapping[str, npt.NDArray]) -> "NgramStore":
        """The store of the arrays of a file, which have the names of the fields."""
        try:
            # Views of plain arrays: a slice of a memmap takes three times as long.
            return cls(**{name: tensors[name].view(np.ndarray) for name in ARRAYS})
        except KeyError as error:
            raise TercelError(f"the file has no array {error} of an n-gram store") from None

    @property
    def tensors(self) -> dict[str, npt.NDArray]:
        """The arrays by name."""
        return {name: getattr(self, name) for name in ARRAYS}

    def candidates(self, context: Sequence[int]) -> Candidates:
        """Successors of a context and of its ends, the longest first.

        Parameters
        ----------
        context
            Last tokens, newest first. An end that is not stored changes nothing.
        """
        keys = [EMPTY_KEY]
        for token in context:
            keys.append(extend_key(keys[-1], token))
        last = self._last_token(keys[:2])
        found = self._places(keys[:1:-1]) if len(keys) > 2 else []
        return self._join(found, last) if found else last

    def successors(self, context: Sequence[int], most: int) -> list[tuple[int, float]]:
        """The likeliest stored successors of one context, newest token first, without backoff.

        Ids and probabilities, likeliest first; none if the context is not stored.
        """
        key = EMPTY_KEY
        for token in context:
            key = extend_key(key, token)
        for place in self._places([key]):
            start, end = self.starts[place : place + 2].tolist()
            part = slice(start, min(end, start + most))
            probabilities = np.exp(LEVELS.take(self.levels[part]))
            return list(zip(self.ids[part].tolist(), probabilities.tolist(), strict=True))
        return []

    def _last_token(self, keys: list[int]) -> Candidates:
        """Candidates of the empty context and one of one token; kept, as few are frequent."""
        found = self._last_tokens.get(keys[-1])
        if found is None:
            nothing = Candidates(ids=self.ids[:0], log_probabilities=np.zeros(0), rest=1.0)
            found = self._join(self._places(keys[::-1]), nothing)
            _, first = np.unique(found.ids, return_index=True)
            first.sort()
            found = replace(
                found, ids=found.ids[first], log_probabilities=found.log_probabilities[first]
            )
            if len(self._last_tokens) == KEPT:
                self._last_tokens.clear()
            self._last_tokens[keys[-1]] = found
        return found

    def _places(self, keys: list[int]) -> list[int]:
        """Places of the keys that are stored, in their order."""
        places = self.keys.searchsorted(np.array(keys, np.uint32)).tolist()
        return [
            place
            for key, place in zip(keys, places, strict=True)
            if place < len(self.keys) and self.keys[place] == key
        ]

    def _join(self, places: list[int], shorter: Candidates) -> Candidates:
        """Successors of contexts, longest first, with those of a shorter one behind them."""
        ids, log_probabilities, backoff = [], [], 0.0
        for place in places:
            start, end = self.starts[place : place + 2].tolist()
            ids.append(self.ids[start:end])
            found = LEVELS.take(self.levels[start:end])
            found += backoff
            log_probabilities.append(found)
            backoff += float(LEVELS[self.backoffs[place]])
        ids.append(shorter.ids)
        log_probabilities.append(shorter.log_probabilities + backoff)
        return Candidates(
            ids=np.concatenate(ids),
            log_probabilities=np.concatenate(log_probabilities),
            rest=shorter.rest * exp(backoff),
        )
