"""Counting of an n-gram store with backoff from tokens."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tercel.errors import TercelError
from tercel.speculation.drafters.ngram import ORDER
from tercel.speculation.drafters.ngram_store import EMPTY_KEY, STEP, NgramStore, context_keys

__all__ = ["NgramConfig", "build_store"]

DISCOUNT = 0.75
"""Taken from every count, to be spread by shorter contexts (absolute discounting)."""
Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class NgramConfig:
    """Shape of a store.

    Raises
    ------
    TercelError
        If a field breaks its rule; the message quotes the field and its value.
    """

    order: int = ORDER
    """Most tokens of a context."""
    successors: int = 24
    """Most successors of a context."""
    least_count: int = 2
    """Occurrences that a context needs, and that each of its successors needs."""
    bytes: int = 4_000_000
    """Most bytes of the store; the rarest contexts are left out."""

    def __post_init__(self):
        for name, least in (("order", 1), ("successors", 1), ("least_count", 1), ("bytes", 4096)):
            if (value := getattr(self, name)) < least:
                raise TercelError(f"{name} of an n-gram store must be {least} or more, not {value}")


@dataclass(frozen=True, kw_only=True, eq=False)
class _Order:
    """Kept contexts of one length, each with one successor or more."""

    keys: npt.NDArray[np.uint32]
    totals: Ids
    starts: Ids
    """``[contexts + 1]``"""
    ids: Ids
    counts: Ids

    def select(self, contexts: npt.NDArray[np.bool_]) -> "_Order":
        sizes = np.diff(self.starts)
        kept = np.repeat(contexts, sizes)
        return _Order(
            keys=self.keys[contexts],
            totals=self.totals[contexts],
            starts=np.concatenate(([0], np.cumsum(sizes[contexts]))),
            ids=self.ids[kept],
            counts=self.counts[kept],
        )


def build_store(
    tokens: npt.NDArray[np.unsignedinteger], *, vocab_size: int, config: NgramConfig
) -> NgramStore:
    """Count a store.

    Parameters
    ----------
    tokens
        ``[n]`` text.
    vocab_size
    config

    Raises
    ------
    TercelError
        If the text has no token, or one outside the vocabulary.
    """
    if len(tokens) < 2:
        raise TercelError(f"an n-gram store needs a text of 2 tokens or more, not {len(tokens)}")
    if (largest := int(tokens.max())) >= vocab_size:
        raise TercelError(f"the text has the token {largest}, the vocabulary has {vocab_size}")
    orders = _count(tokens, vocab_size, config)
    item = 2 if vocab_size <= 1 << 16 else 4
    orders = _fit(orders, config.bytes, bytes_per_successor=item + 1)
    return _store(orders, np.uint16 if item == 2 else np.uint32)


def _count(
    tokens: npt.NDArray[np.unsignedinteger], vocab_size: int, config: NgramConfig
) -> list[_Order]:
    """Orders from the empty context on."""
    following = tokens[1:].astype(np.int64)
    # Of each position that may have a successor: the number of its context, and the context's key.
    position = np.arange(len(following))
    context = np.zeros(len(following), np.int64)
    keys = np.full(1, EMPTY_KEY, np.uint32)
    orders = []
    for length in range(config.order + 1):
        pairs, counts = np.unique(context * vocab_size + following[position], return_counts=True)
        least = config.least_count if length else 1
        orders.append(_best(pairs, counts, keys, vocab_size, config.successors, least))
        if length == config.order:
            break
        # A context one token longer begins `length` tokens before its last one.
        inside = position >= length
        position, context = position[inside], context[inside]
        before = tokens[position - length].astype(np.int64)
        longer, inverse, occurrences = np.unique(
            context * vocab_size + before, return_inverse=True, return_counts=True
        )
        often = occurrences >= config.least_count
        keys = context_keys(keys[longer[often] // vocab_size], longer[often] % vocab_size)
        number = np.cumsum(often) - 1
        kept = often[inverse]
        position, context = position[kept], number[inverse[kept]]
        if not len(position):
            break
    return orders


def _best(
    pairs: Ids,
    counts: Ids,
    keys: npt.NDArray[np.uint32],
    vocab_size: int,
    successors: int,
    least_count: int,
) -> _Order:
    """The most frequent successors of each context, most frequent first, ties by lower id."""
    contexts, ids = np.divmod(pairs, vocab_size)
    totals = np.bincount(contexts, counts, len(keys)).astype(np.int64)
    order = np.lexsort((ids, -counts, contexts))
    contexts, ids, counts = contexts[order], ids[order], counts[order]
    starts = np.searchsorted(contexts, np.arange(len(keys)))
    rank = np.arange(len(contexts)) - starts[contexts]
    kept = (rank < successors) & (counts >= least_count)
    sizes = np.bincount(contexts[kept], minlength=len(keys))
    found = _Order(
        keys=keys,
        totals=totals,
        starts=np.concatenate(([0], np.cumsum(sizes))),
        ids=ids[kept],
        counts=counts[kept],
    )
    return found.select(sizes > 0)


def _fit(orders: list[_Order], most: int, *, bytes_per_successor: int) -> list[_Order]:
    """Leave out the rarest contexts so that the store has at most ``most`` bytes.

    The empty context stays.
    """
    totals = np.concatenate([order.totals for order in orders[1:]] or [np.zeros(0, np.int64)])
    sizes = np.concatenate([np.diff(order.starts) for order in orders[1:]] or [np.zeros(0)])
    order = np.argsort(-totals, kind="stable")
    used = np.cumsum(sizes[order] * bytes_per_successor + 9)
    room = most - len(orders[0].ids) * bytes_per_successor - 13
    if not len(used) or used[-1] <= room:
        return orders
    # Equal totals stay or go together, so the choice does not depend on the order of contexts.
    border = totals[order[np.searchsorted(used, room, side="right")]]
    return [orders[0], *(found.select(found.totals > border) for found in orders[1:])]


def _store(orders: list[_Order], dtype: type[np.unsignedinteger]) -> NgramStore:
    keys = np.concatenate([order.keys for order in orders])
    totals = np.concatenate([order.totals for order in orders])
    sizes = np.concatenate([np.diff(order.starts) for order in orders])
    ids = np.concatenate([order.ids for order in orders])
    counts = np.concatenate([order.counts for order in orders])
    starts = np.cumsum(sizes) - sizes
    # By key, the most frequent context first; of those with one key the others are left out.
    by_key = np.lexsort((-totals, keys))
    first = np.concatenate(([True], keys[by_key][1:] != keys[by_key][:-1]))
    chosen = by_key[first]
    sizes, totals = sizes[chosen], totals[chosen]
    bounds = np.concatenate(([0], np.cumsum(sizes)))
    places = np.repeat(starts[chosen] - bounds[:-1], sizes) + np.arange(bounds[-1])
    probabilities = (counts[places] - DISCOUNT) / np.repeat(totals, sizes)
    rest = 1.0 - np.add.reduceat(probabilities, bounds[:-1])
    return NgramStore(
        keys=keys[chosen],
        starts=bounds.astype(np.uint32),
        backoffs=_levels(rest),
        ids=ids[places].astype(dtype),
        levels=_levels(probabilities),
    )


def _levels(probabilities: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """Nearest levels."""
    nats = -np.log(np.maximum(probabilities, 1e-9))
    return np.clip(np.rint(nats / STEP), 0, 255).astype(np.uint8)
