import numpy as np

from tercel.sampling import Distribution


def test_tokens_without_probability_have_none():
    found = Distribution(ids=np.array([7, 2]), probabilities=np.array([0.75, 0.25]))
    assert [found.probability(token) for token in (2, 7, 0)] == [0.25, 0.75, 0.0]
