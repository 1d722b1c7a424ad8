import numpy as np
import pytest

from tercel.config import PRESETS
from tercel.program import Ask, Request


@pytest.fixture
def tree():
    return Request(
        config=PRESETS["tiny"], tokens=None, parents=(-1, 0, 0, 2, 1), base=7, ask=Ask(argmax=False)
    )


def test_positions_are_depths_from_the_base(tree):
    assert tree.nodes == 5
    assert tree.positions == [7, 8, 8, 9, 9]


def test_a_node_sees_its_ancestors_and_itself(tree):
    expected = [[1, 0, 0, 0, 0], [1, 1, 0, 0, 0], [1, 0, 1, 0, 0], [1, 0, 1, 1, 0], [1, 1, 0, 0, 1]]
    assert np.array_equal(tree.ancestors, np.array(expected, bool))
