"""Drafts of an n-gram store: the probability tree of a model with backoff."""

from __future__ import annotations  # those of inner functions would take time at each draft

from collections.abc import Iterator

from tercel.device import Device
from tercel.errors import TercelError
from tercel.image import Image
from tercel.speculation.draft_tree import DraftTree
from tercel.speculation.drafter import DraftBudget, Drafter, DraftState
from tercel.speculation.drafter_file import drafter_path, load_drafter
from tercel.speculation.drafters.ngram_store import NgramStore
from tercel.speculation.drafters.shared_noise import rank_candidates
from tercel.speculation.drafters.tree_builder import Successor, grow_tree

__all__ = ["KIND", "ORDER", "NgramDrafter"]

KIND = "ngram"
"""Kind of the file of a store."""
ORDER = 3
"""Usual length of contexts: longer ones gain nothing in the same bytes."""
Context = tuple[int, ...]


class NgramDrafter(Drafter):
    """Grows the likeliest tree of an n-gram model, with the noise of the draws.

    Parameters
    ----------
    store
    order
        Most tokens of a context.
    """

    def __init__(self, store: NgramStore, *, order: int):
        self._store = store
        self._order = order

    @classmethod
    def open(cls, image: Image, device: Device) -> NgramDrafter:
        """The drafter of the store beside an image.

        Raises
        ------
        TercelError
            If there is none, or it does not belong to the model.
        """
        file = load_drafter(drafter_path(image.path, KIND), kind=KIND, image=image)
        order = file.settings.get("order")
        if not isinstance(order, int) or order < 1:
            raise TercelError(f"the order of an n-gram store must be 1 or more, not {order!r}")
        return cls(NgramStore.of_tensors(file.tensors), order=order)

    def propose(self, state: DraftState, budget: DraftBudget) -> DraftTree:
        sampling, position = state.sampling, state.position

        def expand(context: Context, depth: int) -> Iterator[Successor[Context]]:
            found = self._store.candidates(context)
            ranked = rank_candidates(
                sampling,
                position + depth,
                found.ids,
                found.log_probabilities,
                # Tokens may stand twice.
                most=2 * budget.nodes,
                rest=found.rest,
            )
            seen = set()
            for token, estimate in ranked:
                if token not in seen:
                    seen.add(token)
                    yield token, estimate, (token, *context)[: self._order]

        root = tuple(reversed(state.tokens[-self._order :]))
        return grow_tree(root, expand, budget)
