import pytest
from rounds import TREE, make_round

from tercel.errors import TercelError
from tercel.sampling import uniform
from tercel.speculation import ROOT, DraftTree, Outcome


def test_nodes_and_positions_count_from_the_root():
    tree = DraftTree(tokens=(1, 2, 3, 2, 4), parents=(ROOT, 0, 1, ROOT, 3))
    found = make_round(tree=tree, root=2).verdict
    assert [found.pass_node(node) for node in (ROOT, 0, 4)] == [2, 3, 7]
    assert [found.position_of(node) for node in (ROOT, 0, 1, 2, 3, 4)] == [5, 6, 7, 8, 6, 7]


def test_uniform_numbers_belong_to_seed_and_position():
    found = make_round(tree=TREE).verdict
    assert found.uniform(1, "residual") == uniform(0, 7, "residual")
    assert found.uniform(0, "residual") == found.uniform(3, "residual")


def test_a_path_and_one_more_token_pass_the_check():
    for path, tokens in (((), (9,)), ((3,), (2, 0)), ((0, 1, 2), (1, 2, 3, 5))):
        Outcome(path=path, tokens=tokens).check(TREE)
        Outcome(path=path, tokens=tokens, states=tokens).check(TREE)


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        (Outcome(path=(0, 1), tokens=(1, 2)), "a path of 2 nodes gives 3 tokens, not 2"),
        (Outcome(path=(), tokens=(1, 2)), "a path of 0 nodes gives 1 tokens, not 2"),
        (Outcome(path=(), tokens=()), "a path of 0 nodes gives 1 tokens, not 0"),
        (Outcome(path=(0,), tokens=(1, 2), states=(1,)), "as many states or none"),
        (Outcome(path=(0,), tokens=(2, 1)), "node 0 with token 2 does not follow node -1"),
        (Outcome(path=(0, 2), tokens=(1, 3, 1)), "node 2 with token 3 does not follow node 0"),
    ],
)
def test_what_is_no_path_is_a_fault_of_the_acceptor(outcome, message):
    with pytest.raises(TercelError, match=message):
        outcome.check(TREE)


def test_a_cut_keeps_the_states_of_its_tokens():
    whole = Outcome(path=(0, 1), tokens=(1, 2, 7), states=("a", "b", "c"))
    assert whole.cut(2) == Outcome(path=(0,), tokens=(1, 2), states=("a", "b"))
