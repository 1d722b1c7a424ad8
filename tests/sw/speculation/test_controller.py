import pytest

from tercel.errors import TercelError
from tercel.sampling import SamplingConfig
from tercel.speculation import DraftBudget, DraftState, DraftTree, FixedSize

STATE = DraftState(tokens=[1], position=0, sampling=SamplingConfig())


@pytest.mark.parametrize(("nodes", "found"), [(0, 0), (3, 3), (9, 7)])
def test_a_fixed_size_is_bounded_by_the_pass(nodes, found):
    budget = FixedSize(nodes).budget(STATE, DraftBudget(nodes=7, depth=5))
    assert budget == DraftBudget(nodes=found, depth=5)


def test_a_fixed_size_prunes_nothing():
    tree = DraftTree.chain((1, 2))
    assert FixedSize(1).prune(tree, STATE) is tree


def test_a_negative_size_is_refused():
    with pytest.raises(TercelError, match="a draft has 0 or more nodes, not -1"):
        FixedSize(-1)
