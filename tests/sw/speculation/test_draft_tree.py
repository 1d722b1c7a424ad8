import numpy as np
import pytest

from tercel.errors import TercelError
from tercel.sampling import Distribution
from tercel.speculation import PROBE, ROOT, DraftTree

ROW = np.zeros(4, np.float32)
CERTAIN = Distribution.certain(6)
TREE = DraftTree(
    tokens=(5, 6, 5, PROBE, 7),
    parents=(ROOT, 0, ROOT, 0, 1),
    estimates=(0.9, 0.5, 0.4, 0.0, 0.2),
    rows={3: ROW},
    proposals={0: CERTAIN},
    predictions={2: CERTAIN},
)


def test_depths_count_from_the_root():
    assert TREE.depths == [1, 2, 1, 2, 3]
    assert DraftTree().depths == []


def test_children_are_tokens_in_order():
    assert TREE.children(ROOT) == [0, 2]
    assert TREE.children(0) == [1]  # the probe is no token
    assert TREE.children(4) == []


def test_of_equal_siblings_the_first_is_found():
    assert TREE.child(ROOT, 5) == 0
    assert TREE.child(0, 6) == 1
    assert TREE.child(0, PROBE) is None
    assert TREE.child(ROOT, 6) is None


def test_a_chain_is_a_tree_of_one_path():
    chain = DraftTree.chain((3, 4, 5), (0.5, 0.4, 0.3))
    assert chain.parents == (ROOT, 0, 1)
    assert chain.depths == [1, 2, 3]
    assert chain.estimates == (0.5, 0.4, 0.3)


def test_selection_keeps_everything_of_its_nodes():
    part = TREE.select([2, 0, 3])
    assert part.tokens == (5, 5, PROBE)
    assert part.parents == (ROOT, ROOT, 1)
    assert part.estimates == (0.4, 0.9, 0.0)
    assert list(part.rows) == [2]
    assert list(part.proposals) == [1]
    assert list(part.predictions) == [0]
    assert not part.replacement
    assert not DraftTree(tokens=(1,), parents=(ROOT,)).select([0]).estimates


def test_siblings_with_replacement_may_be_equal():
    tree = DraftTree(
        tokens=(6, 6), parents=(ROOT, ROOT), proposals={ROOT: CERTAIN}, replacement=True
    )
    assert tree.select([0, 1]).replacement


@pytest.mark.parametrize("nodes", [[1], [1, 0]])
def test_selection_without_parents_is_refused(nodes):
    with pytest.raises(TercelError, match="node 1 is selected without its parent"):
        TREE.select(nodes)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tokens": (1,)}, "a tree of 1 nodes needs as many parents, not 0"),
        ({"tokens": (1,), "parents": (0,)}, r"the parent of node 0 must be in -1\.\.-1, not 0"),
        ({"tokens": (1, 2), "parents": (-1, -2)}, r"of node 1 must be in -1\.\.0, not -2"),
        (
            {"tokens": (1,), "parents": (-1,), "estimates": (0.1, 0.1)},
            "a tree of 1 nodes needs as many estimates, not 2",
        ),
        ({"tokens": (PROBE,), "parents": (-1,)}, "without a token must be those that have rows"),
        (
            {"tokens": (1,), "parents": (-1,), "rows": {0: ROW}},
            "without a token must be those that have rows",
        ),
        (
            {"tokens": (PROBE, 1), "parents": (-1, 0), "rows": {0: ROW}},
            "node 1 is a token, so its parent cannot be a probe",
        ),
        (
            {"tokens": (6, 7), "parents": (-1, 0), "proposals": {0: CERTAIN}},
            "a child of node 0 has no probability in its proposal",
        ),
        (
            {"tokens": (6, 6), "parents": (-1, -1), "proposals": {ROOT: CERTAIN}},
            "children of node -1 are equal, but without replacement",
        ),
    ],
)
def test_what_is_no_tree_is_refused(fields, message):
    with pytest.raises(TercelError, match=message):
        DraftTree(**fields)
