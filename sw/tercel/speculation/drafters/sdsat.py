"""SDSAT: semantic adaptive tokens, in two passes (arXiv 2403.18647).

The target is a model that was tuned so that adaptive tokens behind a text guess what follows, while
its ordinary text is its own. One pass reads them behind the root, the next one verifies what they
guessed. The form with one pass is :class:`~tercel.speculation.drafters.ppd.PromptDecoding` with
the adaptive tokens as prompt tokens.
"""

from collections.abc import Sequence

import numpy as np

from tercel.errors import TercelError
from tercel.numerics.float32 import Float32
from tercel.speculation.draft_tree import ROOT
from tercel.speculation.drafter import DraftState
from tercel.speculation.drafter_file import DrafterFile
from tercel.speculation.drafters.probe_guesses import RANKS, ProbeGuesses
from tercel.speculation.drafters.prompt_tree import PromptTree

__all__ = ["KIND", "AdaptiveTokens"]

KIND = "sdsat"
"""Kind of the drafter's file."""


class AdaptiveTokens(ProbeGuesses):
    """Guesses in one pass, verifies in the next.

    Parameters
    ----------
    rows
        ``[K, hidden_size]`` embedding rows of the adaptive tokens.
    widths
        Guesses of each depth in the tree to verify: every one behind every one of the depth
        before. All ones, the default, is the chain of the greedy form; other widths are the fixed
        tree of the nucleus form.

    Raises
    ------
    TercelError
        If there are not as many widths as rows, or a width is out of range.
    """

    def __init__(self, rows: Float32, widths: Sequence[int] | None = None):
        widths = (1,) * len(rows) if widths is None else tuple(widths)
        if len(widths) != len(rows):
            raise TercelError(f"{len(rows)} adaptive tokens need as many widths, not {len(widths)}")
        if not all(1 <= width <= RANKS for width in widths):
            raise TercelError(f"widths must be in 1..{RANKS}, not {widths}")
        super().__init__(rows)
        self._widths = widths

    @classmethod
    def from_file(cls, file: DrafterFile, widths: Sequence[int] | None = None) -> "AdaptiveTokens":
        """The drafter of a trained file.

        Raises
        ------
        TercelError
            If the file lacks a tensor or the widths do not fit.
        """
        if "rows" not in file.tensors:
            raise TercelError("adaptive tokens lack the tensor 'rows'; train them again")
        return cls(np.asarray(file.tensors["rows"]), widths)

    def _plan(self, state: DraftState, nodes: int, depths: int, ranks: int) -> PromptTree:
        if not depths:
            return _tree((), (), (min(len(self._rows), nodes),))
        paths: list[tuple[int, ...]] = []
        level: list[tuple[int, ...]] = [()]
        for width in self._widths[:depths]:
            level = [(*path, rank) for path in level for rank in range(min(width, ranks))]
            paths += level
        paths = sorted(paths[:nodes])  # the first guesses of all depths come first
        place = {(): ROOT} | {path: node for node, path in enumerate(paths)}
        parents = tuple(place[path[:-1]] for path in paths)
        return _tree(parents, tuple(path[-1] for path in paths), (0,) * (1 + len(paths)))


def _tree(parents: tuple[int, ...], ranks: tuple[int, ...], prompts: tuple[int, ...]) -> PromptTree:
    """A tree that claims nothing about its chances."""
    return PromptTree(parents=parents, ranks=ranks, weights=(0.0,) * len(ranks), prompts=prompts)
