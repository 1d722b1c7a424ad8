import pytest

from tercel.errors import TercelError
from tercel.speculation import DraftBudget, DraftPlan, DraftTree, FixedSize

MOST = DraftBudget(nodes=7, depth=5)


@pytest.mark.parametrize(("nodes", "found"), [(3, 3), (9, 7)])
def test_a_fixed_size_is_bounded_by_the_pass(nodes, found):
    plan = FixedSize(nodes).plan(MOST)
    assert plan == DraftPlan(drafter=0, budget=DraftBudget(nodes=found, depth=5))


def test_nothing_to_draft_is_a_plain_round():
    assert FixedSize(0).plan(MOST) is None


def test_a_fixed_size_prunes_nothing():
    tree = DraftTree.chain((1, 2))
    plan = FixedSize(1).plan(MOST)
    assert plan is not None
    assert FixedSize(1).prune(tree, plan, waiting=1, spent=0.0) is tree


def test_a_negative_size_is_refused():
    with pytest.raises(TercelError, match="a draft has 0 or more nodes, not -1"):
        FixedSize(-1)
