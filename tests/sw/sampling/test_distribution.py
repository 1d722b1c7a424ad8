from fractions import Fraction

import numpy as np
from exact_law import exact

from tercel.sampling import Distribution


def test_tokens_without_probability_have_none():
    found = Distribution(ids=np.array([7, 2]), probabilities=np.array([0.75, 0.25]))
    assert [found.probability(token) for token in (2, 7, 0)] == [0.25, 0.75, 0.0]


def as_dict(distribution):
    return dict(zip(distribution.ids.tolist(), distribution.probabilities.tolist(), strict=True))


def test_a_quantile_is_drawn_in_the_order_of_ids():
    found = Distribution(ids=np.array([7, 2, 5]), probabilities=np.array([0.5, 0.25, 0.25]))
    drawn = [found.draw(at) for at in (0.0, 0.49, 0.5, 0.74, 0.75, 1 - 2**-53)]
    assert drawn == [7, 7, 2, 2, 5, 5]
    short = Distribution(ids=np.array([7, 2]), probabilities=np.array([0.5, 0.5 - 1e-9]))
    assert short.draw(1 - 2**-53) == 2
    assert Distribution.certain(4).draw(0.3) == 4


def test_the_residual_is_what_one_distribution_has_more_than_another():
    p, q = exact(3, 2, 1), exact(0, 1, 1, 2)
    assert p.excess(q).tolist() == [Fraction(1, 2), Fraction(1, 12), 0]
    assert as_dict(p.residual(q)) == {0: Fraction(6, 7), 1: Fraction(1, 7)}
    assert as_dict(p.residual(q, Fraction(1, 2))) == {0: 1}
    assert p.residual(p) is None
    order = Distribution(ids=q.ids[::-1], probabilities=q.probabilities[::-1])
    assert as_dict(p.residual(order)) == as_dict(p.residual(q))


def test_without_a_token_the_others_are_renormalised():
    assert as_dict(exact(3, 2, 1).without(1)) == {0: Fraction(3, 4), 2: Fraction(1, 4)}
    assert as_dict(exact(3, 2).without(2)) == {0: Fraction(3, 5), 1: Fraction(2, 5)}
    assert exact(3).without(0) is None
