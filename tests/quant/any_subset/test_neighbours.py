import numpy as np
import pytest

from tercel.errors import TercelError
from tercel_quant.any_subset import NeighbourDraft

TEXT = np.array([0, 1, 0, 2, 0, 1])


def draw_likeliest(weights):
    return int(np.argmax(weights))


def test_a_known_left_neighbour_decides_else_the_frequency():
    draft = NeighbourDraft.of_text(TEXT, vocab_size=4)
    tokens = np.array([0, 3, 3, 3])
    order = np.array([0, 3, 1, 2])
    found, q = draft.propose(None, tokens, order, asked=slice(1, 4), draw=draw_likeliest)
    # Position 3 has no known neighbour: (3, 2, 1, 0) + 1 counts. Position 1 follows a 0, which is
    # followed by 1 twice and 2 once. Position 2 follows the drafted 1, which is followed by 0.
    np.testing.assert_allclose(q[0], np.array([4, 3, 2, 1]) / 10)
    np.testing.assert_allclose(q[1], np.array([0, 2, 1, 0]) / 3)
    np.testing.assert_allclose(q[2], [1, 0, 0, 0])
    assert found == [0, 1, 0]
    assert list(tokens) == [0, 3, 3, 3]


def test_a_neighbour_without_successors_leaves_the_frequency():
    draft = NeighbourDraft.of_text(TEXT, vocab_size=4)
    _, q = draft.propose(
        None, np.array([3, 0]), np.array([0, 1]), asked=slice(1, 2), draw=draw_likeliest
    )
    np.testing.assert_allclose(q[0], np.array([4, 3, 2, 1]) / 10)


@pytest.mark.parametrize(
    ("singles", "pairs"), [(np.ones(3), np.ones((3, 2))), (np.zeros(3), np.ones((3, 3)))]
)
def test_bad_counts_are_refused(singles, pairs):
    with pytest.raises(TercelError, match="counts, not all 0, need 3 rows and columns"):
        NeighbourDraft(singles, pairs)
