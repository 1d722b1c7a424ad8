from rounds import TREE, make_round

from tercel.speculation import Outcome


def test_kept_nodes_start_before_the_root():
    whole = make_round((0, 1), (1, 2, 7), tree=TREE, root=2)
    assert whole.kept_nodes == [0, 1, 2, 3, 4]
    assert whole.last_node == 4
    assert make_round(root=2).last_node == 2


def test_a_cut_round_keeps_the_nodes_before_its_last_token():
    whole = make_round((0, 1), (1, 2, 7), tree=TREE)
    assert whole.cut(3).outcome == whole.outcome
    assert whole.cut(2).outcome == Outcome(path=(0,), tokens=(1, 2))
    assert whole.cut(1).outcome == Outcome(path=(), tokens=(1,))


def test_accepted_nodes_behind_a_gap_are_not_committed():
    whole = make_round((3,), (2, 7), tree=TREE, root=1)
    assert whole.kept_nodes == [0, 1]
    assert whole.last_node == 5  # its results are those before the last token
