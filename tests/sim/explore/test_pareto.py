from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tercel_hw.top import ACCELERATORS
from tercel_sim.explore.design import Design
from tercel_sim.explore.evaluation import Evaluation, Speed
from tercel_sim.explore.pareto import dominates, front, objectives

DESIGN = Design.of(ACCELERATORS["kv260"], 250)


def evaluation(token_ms, first_ms, verify_ms, share, tables=77):
    speed = Speed(tokens_per_second=1000 / token_ms, first_token_ms=first_ms, verify_ms=verify_ms)
    design = replace(DESIGN, tables=tables)
    return Evaluation(design=design, speed=speed, shares={"lut": share, "ff": share / 2})


def test_objectives_are_smaller_for_better():
    assert objectives(evaluation(8, 100, 9, 0.5)) == (8, 100, 9, 0.5)
    assert evaluation(8, 100, 9, 0.5).speed.verify_cost == pytest.approx(9 / 8)


@pytest.mark.parametrize(
    ("one", "other", "tolerance", "expected"),
    [
        ((1, 1), (1, 2), 0.0, True),
        ((1, 1), (1, 1), 0.0, False),
        ((1, 2), (2, 1), 0.0, False),
        ((1, 1.9), (1, 2), 0.1, False),
        ((1, 1.7), (1, 2), 0.1, True),
        ((1, 1.7), (1, 2), (0.5, 0.2), False),
        ((1.01, 1), (1, 2), 0.1, False),
    ],
)
def test_dominance(one, other, tolerance, expected):
    assert dominates(one, other, tolerance) is expected


@given(
    st.lists(
        st.tuples(*[st.integers(1, 5)] * 4).map(lambda v: evaluation(*v[:3], v[3] / 10)),
        max_size=20,
    )
)
def test_the_front_is_what_nothing_dominates(found):
    best = front(found)
    values = [objectives(each) for each in best]
    assert len(set(values)) == len(values)
    assert values == sorted(values)
    for each in found:
        mine = objectives(each)
        dominated = any(dominates(objectives(other), mine) for other in found)
        assert (mine in values) is not dominated
