from itertools import product

import pytest

from tercel.program import LanePlan, lanes_per_head_choices


@pytest.mark.parametrize(
    ("lanes", "found"), [(1, (1,)), (2, (1, 2)), (3, (1, 2, 3)), (8, (1, 2, 4, 8))]
)
def test_numbers_of_lanes(lanes, found):
    assert lanes_per_head_choices(lanes) == found


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
    assert (found.lanes_per_head, found.head_slots, found.sweeps) == plan


def test_lanes_too_few_for_another_query_head_are_idle():
    found = LanePlan(lanes=6, nodes=3, heads=4)
    assert (found.lanes_per_head, found.head_slots, found.sweeps) == (4, 1, 4)


def test_every_query_head_has_lanes():
    for lanes, heads in product(range(1, 17), range(1, 9)):
        for nodes in range(1, lanes + 1):
            plan = LanePlan(lanes=lanes, nodes=nodes, heads=heads)
            assert nodes <= plan.lanes_per_head
            assert plan.head_slots * plan.lanes_per_head <= lanes
            assert (plan.sweeps - 1) * plan.head_slots < heads <= plan.sweeps * plan.head_slots
