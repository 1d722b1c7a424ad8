from itertools import product

import pytest

from tercel.program import LanePlan, pads


@pytest.mark.parametrize(
    ("lanes", "found"), [(1, (1,)), (2, (1, 2)), (3, (1, 2, 3)), (8, (1, 2, 4, 8))]
)
def test_numbers_of_lanes(lanes, found):
    assert pads(lanes) == found


@pytest.mark.parametrize(
    ("nodes", "heads", "plan"),
    [
        (1, 1, (1, 1, 1)),
        (1, 4, (1, 4, 1)),
        (2, 4, (2, 4, 1)),
        (3, 4, (4, 2, 2)),
        (8, 4, (8, 1, 4)),
        (1, 20, (1, 8, 3)),
        (5, 1, (8, 1, 1)),
    ],
)
def test_plans_of_eight_lanes(nodes, heads, plan):
    found = LanePlan(lanes=8, nodes=nodes, heads=heads)
    assert (found.pad, found.turns, found.walks) == plan


def test_every_query_head_has_lanes():
    for lanes, heads in product(range(1, 17), range(1, 9)):
        for nodes in range(1, lanes + 1):
            plan = LanePlan(lanes=lanes, nodes=nodes, heads=heads)
            assert nodes <= plan.pad
            assert plan.turns * plan.pad <= lanes
            assert (plan.walks - 1) * plan.turns < heads <= plan.walks * plan.turns
