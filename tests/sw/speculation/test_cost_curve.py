import pytest

from tercel.speculation import CostCurve


def test_nothing_is_known_at_first():
    assert not CostCurve()
    assert CostCurve().seconds(3) == 0.0


def test_known_sizes_are_means_and_others_as_the_next_smaller():
    curve = CostCurve()
    curve.observe(2, 1.0)
    curve.observe(6, 3.0)
    assert [curve.seconds(nodes) for nodes in (1, 2, 3, 5, 6, 8)] == [1.0, 1.0, 1.0, 1.0, 3.0, 3.0]
    curve.observe(6, 7.0)
    assert curve.seconds(6) == 4.0
    assert curve.seconds(4) == 1.0


def test_a_known_curve_may_be_given():
    curve = CostCurve([1.0, 2.0, 4.0])
    assert curve
    assert [curve.seconds(nodes) for nodes in (1, 2, 3, 4)] == [1.0, 2.0, 4.0, 4.0]
    for _ in range(60):
        curve.observe(1, 9.0)
    assert curve.seconds(1) == pytest.approx(9.0)
