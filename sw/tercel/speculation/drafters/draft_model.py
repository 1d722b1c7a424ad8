"""Drafts by a small model with the vocabulary of the large one."""

from __future__ import annotations  # those of inner functions would take time at each draft

from dataclasses import dataclass
from typing import Literal, get_args

from tercel.device import Device, PassResult
from tercel.device.emulator import EmulatorDevice
from tercel.errors import TercelError
from tercel.image import Image
from tercel.sampling import Distribution
from tercel.speculation.draft_tree import ROOT, DraftTree
from tercel.speculation.drafter import DraftBudget, Drafter, DraftState
from tercel.speculation.drafters.drawn_tokens import draw_tokens
from tercel.speculation.drafters.growing_pass import GrowingPass
from tercel.speculation.drafters.model_candidates import ModelCandidates
from tercel.speculation.drafters.model_follower import ModelFollower, check_vocabulary
from tercel.speculation.drafters.shared_noise import round_seed
from tercel.speculation.drafters.tree_builder import Successor, grow_tree

__all__ = ["DraftModel", "DraftModelConfig"]

Shape = Literal["tree", "chain", "drawn"]
Grown = tuple[int, int]
"""A token and the node of the pass behind which it is drafted."""


@dataclass(frozen=True, kw_only=True)
class DraftModelConfig:
    """Parameters of drafts.

    Raises
    ------
    TercelError
        If a field breaks its rule.
    """

    shape: Shape = "tree"
    """``tree`` grows the likeliest nodes and ``chain`` one path, both by the noise of the draws to
    guess; ``drawn`` draws a path at random, with proposals for acceptors by rejection."""
    top_k: int = 64
    """Most candidates of a node; 0 takes every token that the filters leave."""
    siblings: int = 1
    """Children that are drawn of each node of a drawn path; the first one continues it."""

    def __post_init__(self):
        if self.shape not in get_args(Shape):
            raise TercelError(
                f"a draft's shape must be one of {', '.join(get_args(Shape))}, not {self.shape!r}"
            )
        if self.top_k < 0:
            raise TercelError(f"top_k must be 0 (all) or more, not {self.top_k}")
        if self.siblings < 1:
            raise TercelError(f"a drawn path has 1 or more siblings a node, not {self.siblings}")


class DraftModel(Drafter):
    """Drafts with a small model on a device of its own.

    Every expanded node is one pass of the small model. Its cache follows the text by itself, so
    rounds that were cut, plain rounds and further prompts need no care.

    Parameters
    ----------
    device
        A device of the small model, empty and reserved for this drafter.
    config
    """

    def __init__(self, device: Device, config: DraftModelConfig = DraftModelConfig()):
        self._follower = ModelFollower(device)
        self._config = config

    @classmethod
    def open(
        cls,
        image: Image,
        draft: Image,
        *,
        device: Device | None = None,
        config: DraftModelConfig = DraftModelConfig(),
    ) -> DraftModel:
        """Open a draft model.

        Parameters
        ----------
        image
            The model to draft for.
        draft
            The small model.
        device
            A device of the small model; ``None`` is the emulator.

        Raises
        ------
        TercelError
            If the small model has another vocabulary.
        """
        check_vocabulary(image, draft)
        return cls(EmulatorDevice(draft) if device is None else device, config)

    def reset(self) -> None:
        self._follower.reset()

    def interrupt(self) -> None:
        self._follower.interrupt()

    def propose(self, state: DraftState, budget: DraftBudget) -> DraftTree:
        device = self._follower.device
        candidates = ModelCandidates(
            state.sampling,
            top_k=self._config.top_k,
            limits=device.limits,
            rows=device.config.vocab_size,
        )
        found = self._follower.read(state.tokens, candidates.ask)
        if found is None:
            return DraftTree()
        if self._config.shape == "drawn":
            return self._draw(state, budget, candidates, *found)
        grown, root, result = found
        most = 1 if self._config.shape == "chain" else budget.nodes

        def expand(at: Grown | None, depth: int) -> list[Successor[Grown]]:
            if at is None:
                behind, node, results = 0, root, result
            elif grown.room:
                behind, results = grown.grow([at[0]], at[1])
                node = behind
            else:
                return []
            ranked = candidates.rank(results, node=node, position=state.position + depth, most=most)
            return [(token, chance, (token, behind)) for token, chance in ranked]

        return grow_tree(None, expand, budget)

    def _draw(
        self,
        state: DraftState,
        budget: DraftBudget,
        candidates: ModelCandidates,
        grown: GrowingPass,
        node: int,
        result: PassResult,
    ) -> DraftTree:
        """Draw a path, each token with its siblings, without replacement.

        The shape does not depend on what is drawn, as rejection sampling needs.
        """
        siblings = self._config.siblings
        path: list[tuple[Distribution, list[int]]] = []
        behind = 0
        for depth in range(min(budget.depth, budget.nodes // siblings)):
            if depth:
                if not grown.room:
                    break
                behind, result = grown.grow([path[-1][1][0]], behind)
                node = behind
            q = candidates.distribution(result, node=node)
            drawn = draw_tokens(
                q,
                seed=round_seed(state.sampling, state.position),
                position=state.position + depth,
                count=siblings,
            )
            path.append((q, drawn))
        return _comb(path)


def _comb(path: list[tuple[Distribution, list[int]]]) -> DraftTree:
    """The tree of a drawn path: its nodes in a row, then the siblings of each."""
    tokens = [drawn[0] for _, drawn in path]
    parents = list(range(ROOT, len(path) - 1))
    for depth, (_, drawn) in enumerate(path):
        tokens += drawn[1:]
        parents += [depth + ROOT] * (len(drawn) - 1)
    return DraftTree(
        tokens=tuple(tokens),
        parents=tuple(parents),
        proposals={depth + ROOT: q for depth, (q, _) in enumerate(path)},
    )
