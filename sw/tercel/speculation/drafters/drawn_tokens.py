"""Random drafts, for acceptors by rejection."""

import numpy as np

from tercel.sampling import Distribution, gumbel

__all__ = ["draw_tokens"]


def draw_tokens(q: Distribution, *, seed: int, position: int, count: int = 1) -> list[int]:
    """Draw tokens from a distribution, without replacement.

    Parameters
    ----------
    q
    seed
        The :func:`~tercel.speculation.drafters.shared_noise.round_seed` of the draft.
    position
        Position of the node before the draw.
    count
        Tokens to draw; fewer if ``q`` has no more.
    """
    scores = np.log(q.probabilities) + gumbel(seed, position, q.ids)
    return q.ids[np.argsort(-scores, kind="stable")[:count]].tolist()
