"""DEER: a small diffusion model fills all tokens of a draft in one step (arXiv 2512.15176)."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tercel.device import Limits, PassResult
from tercel.errors import TercelError
from tercel.image import Image
from tercel.numerics.float32 import Float32
from tercel.sampling import Sampler
from tercel.speculation.draft_tree import ROOT, DraftTree
from tercel.speculation.drafter import DraftBudget, Drafter, DraftState
from tercel.speculation.drafter_file import DrafterFile
from tercel.speculation.drafters.block_model import BlockModel
from tercel.speculation.drafters.drawn_tokens import draw_tokens
from tercel.speculation.drafters.shared_noise import rank_candidates, round_seed

__all__ = ["KIND", "BlockDiffusion"]

KIND = "deer"
"""Kind of the drafter's file."""

TOKENS = 64
"""Most tokens of a distribution, the likeliest ones."""


class BlockDiffusion(Drafter):
    """Drafts a chain from distributions that depend on the text alone, not on drafted tokens.

    They have the filters of the text. A token is the one that the noise of its draw chooses.

    Parameters
    ----------
    model
    embed
        From token ids, their embedding rows ``[n, width]``.
    vocabulary
        ``[words]`` ids of the tokens that can be drafted.
    drawn
        Draw the tokens at random instead, with proposals for acceptors by rejection.
    """

    def __init__(
        self,
        model: BlockModel,
        embed: Callable[[Sequence[int]], Float32],
        vocabulary: npt.NDArray[np.integer],
        *,
        drawn: bool = False,
    ):
        self._model, self._embed = model, embed
        self._vocabulary = np.asarray(vocabulary, np.int32)
        self._drawn = drawn

    @classmethod
    def from_file(cls, file: DrafterFile, image: Image, *, drawn: bool = False) -> "BlockDiffusion":
        """The drafter of a trained file, for its image.

        Raises
        ------
        TercelError
            If the file lacks a part or its tensors do not agree.
        """
        settings: Any = file.settings
        try:
            vocabulary = file.tensors["vocabulary"]
            masks, heads, epsilon = (settings[name] for name in ("masks", "heads", "epsilon"))
        except KeyError as error:
            raise TercelError(f"a block drafter lacks {error}; train it again") from None
        head = image.float_rows("head", vocabulary)
        model = BlockModel(file.tensors, masks=masks, heads=heads, epsilon=epsilon, head=head)
        return cls(
            model, lambda tokens: image.float_rows("embedding", tokens), vocabulary, drawn=drawn
        )

    def propose(self, state: DraftState, budget: DraftBudget) -> DraftTree:
        """Fill the masks; decline if the text is shorter than the model's context."""
        context = self._model.context
        if len(state.tokens) < context:
            return DraftTree()
        logits = self._model.fill(self._embed(state.tokens[-context:]))
        result = self._result(logits[: min(budget.nodes, budget.depth)])
        assert result.argmax is not None
        assert result.top_logits is not None
        assert result.logsumexp is not None
        sampling = state.sampling
        most = min(sampling.top_k or TOKENS, TOKENS, len(self._vocabulary))
        sampler = Sampler(
            replace(sampling, top_k=most),
            limits=Limits(nodes=len(logits), context=context, top_k=most),
            vocab_size=len(self._vocabulary),
        )
        tokens: list[int] = []
        estimates, proposals = [], {}
        reach = 1.0
        for depth in range(len(result.argmax)):
            q, position = sampler.distribution(result, node=depth), state.position + depth
            if self._drawn:
                seed = round_seed(sampling, state.position)
                tokens += draw_tokens(q, seed=seed, position=position)
                proposals[depth + ROOT] = q
                continue
            logs = (result.top_logits[depth] - result.logsumexp[depth])[: len(q.ids)]
            ((token, chance),) = rank_candidates(sampling, position, q.ids, logs, most=1)
            tokens.append(token)
            reach *= chance
            estimates.append(reach)
        return DraftTree(
            tokens=tuple(tokens),
            parents=tuple(range(ROOT, len(tokens) - 1)),
            estimates=tuple(estimates),
            proposals=proposals,
        )

    def _result(self, logits: Float32) -> PassResult:
        """The fillings as a pass has them, with the likeliest tokens."""
        order = np.argsort(-logits, axis=1, kind="stable")[:, :TOKENS]
        top_logits = np.take_along_axis(logits, order, axis=1)
        ids = self._vocabulary[order]
        sums = np.exp((logits - top_logits[:, :1]).astype(np.float64)).sum(axis=1)
        return PassResult(
            argmax=ids[:, 0],
            top_ids=ids,
            top_logits=top_logits,
            logsumexp=top_logits[:, 0] + np.log(sums),
        )
