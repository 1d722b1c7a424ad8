"""Sampling of the next token from the result of a pass."""

from collections.abc import Sequence

import numpy as np

from tercel.device import Ask, Limits, PassResult
from tercel.errors import TercelError
from tercel.sampling.config import SamplingConfig
from tercel.sampling.distribution import Distribution
from tercel.sampling.filters import (
    Float32,
    Ids,
    best_first,
    draw,
    normalised,
    scaled,
    surviving,
)
from tercel.sampling.full_evidence import FullEvidence
from tercel.sampling.noise import gumbel, louder_than
from tercel.sampling.top_evidence import TopEvidence, top_in_order

__all__ = ["Sampler"]

FEW = 16
"""Top-k of the device for draws without a filter, where more would seldom settle more."""
MARGIN = 1e-9
"""More than the rounding error of a score with noise, relative to both."""


class Sampler:
    """Draws tokens, asking the device for the smallest result that the draw needs.

    Greedy decoding needs the argmax, a top-k that the device supports needs its top-k; a larger one
    the logits. Anything else asks for a top-k and the logits, and reads those logits alone that
    the top-k and the noise leave in doubt. All give the same token, except where logits are equal
    at the border of a top-k that the device supports: it orders those by their unscaled logits.
    A result may have more than was asked for, such as a larger top-k, or all logits alone.

    Parameters
    ----------
    config
    limits
        Of the device.
    vocab_size
        Rows of the head.
    two_stage
        Draw from the rows that a two-stage head lists: greedily, or with a top-k that the device
        supports.

    Raises
    ------
    TercelError
        If a two-stage head cannot give what the draw needs.
    """

    def __init__(
        self,
        config: SamplingConfig,
        *,
        limits: Limits,
        vocab_size: int,
        two_stage: bool = False,
    ):
        self._config = config
        self._two_stage = two_stage
        self._rows = vocab_size
        self._top_k = min(config.top_k, vocab_size)
        sorts = limits.most_top_k(two_stage=two_stage)
        self._device_sorts = 0 < self._top_k <= sorts
        if two_stage and not (config.greedy or self._device_sorts):
            raise TercelError(
                f"draws with a two-stage head must be greedy or have a top_k in 1..{sorts}, but "
                f"top_k is {config.top_k}: other draws need logits of all rows; give a top_k, or "
                "run the whole head"
            )
        self._filtered = config.top_p < 1 or config.min_p > 0
        most = limits.top_k if self._filtered else min(FEW, limits.top_k)
        self._asked = min(most, vocab_size)

    @property
    def config(self) -> SamplingConfig:
        return self._config

    def ask(self, nodes: Sequence[int]) -> Ask:
        """The results that a pass must give to draw the successors of ``nodes``."""
        if self._config.greedy:
            return Ask(argmax=True, two_stage=self._two_stage)
        if self._device_sorts:
            return Ask(argmax=False, top_k=self._top_k, two_stage=self._two_stage)
        if self._top_k:
            return Ask(argmax=False, logits=tuple(nodes))
        needed = () if self._asked == self._rows else tuple(nodes)
        return Ask(argmax=False, top_k=self._asked, logits=needed)

    def choose(self, result: PassResult, *, node: int, position: int) -> int:
        """Draw the token that follows ``node``, which is at ``position``."""
        if self._config.greedy:
            assert result.argmax is not None
            return int(result.argmax[node])
        evidence = self._evidence(result, node)
        if isinstance(evidence, TopEvidence):
            return self._settle(evidence, result, node, position)
        return draw(*evidence, self._config, position)

    def distribution(self, result: PassResult, *, node: int) -> Distribution:
        """The filtered distribution from which :meth:`choose` draws the successor of ``node``.

        Without a filter it holds, and sorts, the whole vocabulary.
        """
        if self._config.greedy:
            assert result.argmax is not None
            return Distribution(
                ids=result.argmax[node : node + 1].astype(np.int64), probabilities=np.ones(1)
            )
        evidence = self._evidence(result, node)
        if isinstance(evidence, TopEvidence):
            settled = (evidence.kept | evidence.cut).all()
            if settled and (evidence.cuts_unseen or evidence.cut[-1]):
                return normalised(evidence.ids, evidence.scores[evidence.kept])
            evidence = best_first(result.logits[node], 0)
        ids, logits = evidence
        return normalised(ids, surviving(logits, self._config))

    def _evidence(self, result: PassResult, node: int) -> TopEvidence | tuple[Ids, Float32]:
        """All tokens that may be drawn, highest first, or else what the device's top-k tells."""
        if not self._device_sorts and (self._top_k or result.top_ids is None):
            return best_first(result.logits[node], self._top_k)
        assert result.top_ids is not None
        assert result.top_logits is not None
        ids, logits = result.top_ids[node], result.top_logits[node]
        if self._device_sorts:
            return ids[: self._top_k], logits[: self._top_k]
        ids, logits = top_in_order(ids, logits)
        if len(ids) == self._rows:
            return ids, logits
        border = logits[-1]
        above = int(np.count_nonzero(logits > border))
        if not above or not np.isfinite(logits[0]) or not np.isfinite(border):
            return best_first(result.logits[node], 0)
        assert result.logsumexp is not None
        return TopEvidence(
            config=self._config,
            ids=ids[:above],
            logits=logits[:above],
            border=border,
            at_border=len(ids) - above,
            rows=self._rows,
            logsumexp=float(result.logsumexp[node]),
        )

    def _settle(self, seen: TopEvidence, result: PassResult, node: int, position: int) -> int:
        """Draw with as few logits beyond the top-k as possible.

        The draw is the first token, by score with noise, that passes the filters. The first of
        those that certainly pass is therefore drawn unless one of the others, its rivals, comes
        before it and passes.
        """
        seed = self._config.seed
        heights = seen.scores + gumbel(seed, position, seen.ids)
        first = int(np.argmax(np.where(seen.kept, heights, -np.inf)))
        height = float(heights[first])
        doubtful = np.flatnonzero(~seen.kept & ~seen.cut & (heights >= height))
        ids, logits, rivals = seen.ids[doubtful], seen.logits[doubtful], heights[doubtful]
        # A score of minus infinity is lifted by no noise.
        if not seen.cuts_unseen and seen.border_score > -np.inf:
            margin = MARGIN * (1 + abs(height) + abs(seen.border_score))
            least = height - seen.border_score - margin
            loud = louder_than(seed, position, self._rows, least)
            found = result.logits_at(node, loud) if len(loud) else seen.logits[:0]
            loud, found = loud[found <= seen.border], found[found <= seen.border]
            if len(loud):
                scores = scaled(found, float(seen.logits[0]), self._config.temperature)
                risen = scores + gumbel(seed, position, loud)
                over = risen >= height
                ids = np.concatenate([ids, loud[over]])
                logits = np.concatenate([logits, found[over]])
                rivals = np.concatenate([rivals, risen[over]])
        # Of equal heights the first in order is drawn.
        candidates = [(-height, -float(seen.logits[first]), int(seen.ids[first]))]
        candidates += zip((-rivals).tolist(), (-logits).tolist(), ids.tolist(), strict=True)
        candidates.sort()
        everything: FullEvidence | None = None
        for *_, token in candidates:
            if token == seen.ids[first] or not self._filtered:
                return token
            if everything is None:
                everything = FullEvidence(result.logits[node], self._config)
            passes = everything.passes(token)
            if passes is None:
                return draw(*best_first(result.logits[node], 0), self._config, position)
            if passes:
                return token
        raise AssertionError("the first token that certainly passes is a candidate")
