"""Candidates for the next token from a drafting model's results."""

from dataclasses import replace

import numpy as np

from tercel.device import Ask, Limits, PassResult
from tercel.sampling import Distribution, Sampler, SamplingConfig
from tercel.speculation.drafters.shared_noise import rank_candidates

__all__ = ["ModelCandidates"]

GREEDY_TOP_K = 8
"""Candidates of greedy decoding: with more siblings a path is not worth a node."""


class ModelCandidates:
    """Ranks the tokens of a model's results by the draws of another model.

    Parameters
    ----------
    sampling
        Filters and noise of the draws to guess; the same filters work on the drafting model.
    top_k
        Most candidates of a node, sorted by the device. 0 takes every token that the filters
        leave: exact, but slow for the host if the vocabulary is large.
    limits
        Of the drafting device.
    rows
        Rows of the head that it runs: tokens from there on are never drafted.
    """

    def __init__(self, sampling: SamplingConfig, *, top_k: int, limits: Limits, rows: int):
        self._greedy_top_k = min(top_k or GREEDY_TOP_K, GREEDY_TOP_K, limits.top_k, rows)
        if top_k:
            most = min(top_k, sampling.top_k or top_k, limits.top_k)
            sampling = replace(sampling, top_k=most)
        self._sampling = sampling
        self._sampler = Sampler(sampling, limits=limits, vocab_size=rows)
        self._rows = rows

    def ask(self, node: int, layer_mask: tuple[tuple[bool, bool], ...] | None = None) -> Ask:
        """The results that :meth:`rank` and :meth:`distribution` read of a node."""
        wanted = self._sampler.ask((node,))
        if self._sampling.greedy:
            wanted = Ask(argmax=True, top_k=self._greedy_top_k)
        return replace(wanted, layer_mask=layer_mask, head_rows=self._rows)

    def rank(
        self, result: PassResult, *, node: int, position: int, most: int
    ) -> list[tuple[int, float]]:
        """The likeliest draws after a node at a position, with their probabilities."""
        if self._sampling.greedy:
            assert result.top_ids is not None
            assert result.top_logits is not None
            assert result.logsumexp is not None
            logs = result.top_logits[node].astype(np.float64) - result.logsumexp[node]
            return rank_candidates(self._sampling, position, result.top_ids[node], logs, most=most)
        found = self.distribution(result, node=node)
        # The distribution is at the sampling temperature already.
        plain = SamplingConfig(temperature=1.0, seed=self._sampling.seed)
        logs = np.log(found.probabilities)
        return rank_candidates(plain, position, found.ids, logs, most=most)

    def distribution(self, result: PassResult, *, node: int) -> Distribution:
        """The drafting model's filtered distribution after a node."""
        return self._sampler.distribution(result, node=node)

    def probability(self, result: PassResult, *, node: int, token: int) -> float:
        """Probability of a candidate after a node, without temperature and filters."""
        if result.logsumexp is not None:
            assert result.top_ids is not None
            assert result.top_logits is not None
            place = int(np.argmax(result.top_ids[node] == token))
            return float(np.exp(float(result.top_logits[node, place]) - result.logsumexp[node]))
        logits = result.logits[node].astype(np.float64)
        return float(1 / np.exp(logits - logits[token]).sum())
