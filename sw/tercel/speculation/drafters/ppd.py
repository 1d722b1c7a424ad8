"""Parallel prompt decoding: trained prompt tokens in the pass guess the tokens after the next
(arXiv 2405.18628)."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tercel.errors import TercelError
from tercel.numerics.float32 import Float32
from tercel.speculation.drafter import DraftState
from tercel.speculation.drafter_file import DrafterFile
from tercel.speculation.drafters.probe_guesses import RANKS, ProbeGuesses
from tercel.speculation.drafters.prompt_tree import PromptTree, best_plan, plan_trees

__all__ = ["KIND", "PromptDecoding"]

KIND = "ppd"
"""Kind of the drafter's file."""


class PromptDecoding(ProbeGuesses):
    """Candidates and prompt tokens in one pass, in trees that are planned for their cost.

    Parameters
    ----------
    rows
        ``[m, hidden_size]`` embedding rows of the prompt tokens.
    greedy, sampled
        ``[m, RANKS]`` chance that a guess of a depth and rank is right, in greedy text and in text
        drawn with noise.
    costs
        Time of a pass of 1, 2, ..., K nodes, in any unit; sets the size of the trees.

    Raises
    ------
    TercelError
        If shapes do not agree, or chances or costs are out of range.
    """

    def __init__(
        self,
        *,
        rows: Float32,
        greedy: npt.NDArray[np.floating],
        sampled: npt.NDArray[np.floating],
        costs: Sequence[float],
    ):
        for chances in (greedy, sampled):
            if chances.shape != (len(rows), RANKS):
                raise TercelError(
                    f"{len(rows)} prompt tokens need chances of the shape {(len(rows), RANKS)}, "
                    f"not {chances.shape}"
                )
            if not ((chances >= 0) & (chances <= 1)).all():
                raise TercelError("chances must be in 0..1")
        super().__init__(rows)
        self._acceptance = {True: greedy.astype(np.float64), False: sampled.astype(np.float64)}
        self._costs = tuple(costs)
        self._plans: dict[tuple[bool, int], list[tuple[PromptTree, ...]]] = {}
        """For greedy text or not, and a number of ranks: the trees of each size."""
        self._best: dict[tuple[bool, int, int], tuple[PromptTree, ...]] = {}

    @classmethod
    def from_file(cls, file: DrafterFile, costs: Sequence[float]) -> "PromptDecoding":
        """The drafter of a trained file.

        Raises
        ------
        TercelError
            If the file lacks a tensor or its tensors do not agree.
        """
        try:
            rows, greedy, sampled = (
                file.tensors[name] for name in ("rows", "acceptance.greedy", "acceptance.sampled")
            )
        except KeyError as error:
            raise TercelError(f"prompt tokens lack the tensor {error}; train them again") from None
        return cls(rows=rows, greedy=greedy, sampled=sampled, costs=costs)

    def _plan(self, state: DraftState, nodes: int, depths: int, ranks: int) -> PromptTree:
        greedy = state.sampling.greedy
        most = min(nodes + 1, len(self._costs))
        key = greedy, ranks, most
        if key not in self._best:
            plans = self._plans.setdefault(key[:2], [])
            for size in range(len(plans), most):
                plans.append(plan_trees(self._acceptance[greedy][:, :ranks], size))
            self._best[key] = best_plan(plans[:most], self._costs[:most])
        return self._best[key][depths]
