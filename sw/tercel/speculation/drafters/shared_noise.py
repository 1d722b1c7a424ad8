"""Ranking of a drafter's candidates with the noise of the draws that it guesses.

The sampler draws the argmax of ``log p / T + g(seed, position, token)``. A drafter that knows ``q``
close to ``p`` guesses that draw best by the argmax of ``log q / T + g`` with the same ``g`` (Daliri
et al., arXiv 2408.07978).
"""

from math import exp, log

import numpy as np
import numpy.typing as npt

from tercel.sampling import SamplingConfig, gumbel
from tercel.sampling.noise import SEED_LIMIT

__all__ = ["rank_candidates", "round_seed"]

ODD = 0xD1342543DE82EF95
"""Multiplier of the root's position in the seed of drawn drafts."""
MEAN_GUMBEL = 0.5772156649015329
"""Mean of standard Gumbel noise: Euler's constant."""


def rank_candidates(
    sampling: SamplingConfig,
    position: int,
    ids: npt.NDArray[np.integer],
    log_probabilities: npt.NDArray[np.floating],
    *,
    most: int,
    rest: float | None = None,
    trust: float = 1.0,
    tempered: bool = False,
) -> list[tuple[int, float]]:
    """Rank candidates for a draw, best first, with the probability that each is the one drawn.

    The score of a candidate is ``s = log q / T + g``, at temperature 0 ``log q``. The model's own
    score differs by the error of ``log q / T``; if that has the shape of Gumbel noise of scale
    ``1 / trust``, candidate ``i`` is drawn with probability ``exp(trust s_i) / (sum of exp(trust
    s_j) + rest)``. ``rest`` stands for all other tokens: one candidate with the remaining
    probability and mean noise.

    Parameters
    ----------
    sampling
        Temperature and seed; the filters are left to the sampler.
    position
        Position of the node before the draw.
    ids
        ``[n]`` token ids, each once.
    log_probabilities
        ``[n]`` natural logarithms of the drafter's probabilities at temperature 1.
    most
        Most candidates to return.
    rest
        Probability of all other tokens; by default what the candidates leave of 1.
    trust
        Confidence in ``q``: 1 is right for good models, smaller is flatter.
    tempered
        The probabilities, and ``rest``, are those of the draw already, not those at temperature 1.

    Returns
    -------
    Tokens and estimates; equal scores keep their order.
    """
    if not len(ids):
        return []
    scale, shift = trust, 0.0
    if sampling.greedy:
        scores = log_probabilities * scale
    else:
        if not tempered:
            scale /= sampling.temperature
        shift = trust * MEAN_GUMBEL
        scores = gumbel(sampling.seed, position, ids)
        if trust != 1:
            scores *= trust
        scores += log_probabilities * scale
    order = (-scores).argsort(kind="stable")[:most]
    best = float(scores[order[0]])
    scores -= best
    weights = np.exp(scores)
    total = float(weights.sum())
    if rest is None:
        rest = 1.0 - float(np.exp(log_probabilities).sum())
    if rest > 0:
        total += exp(scale * log(rest) + shift - best)
    estimates = (weights[order] / total).tolist()
    return list(zip(ids[order].tolist(), estimates, strict=True))


def round_seed(sampling: SamplingConfig, position: int) -> int:
    """Seed of a draft that is drawn at random, for acceptors by rejection.

    Its noise belongs to the round, whose root is at ``position``, as well as to the position of
    each draw: it is independent of the acceptor's, and of that of earlier rounds which the text
    depends on.
    """
    return (sampling.seed + ODD * (1 + position)) % SEED_LIMIT
