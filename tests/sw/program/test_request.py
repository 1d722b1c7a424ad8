import numpy as np
import pytest

from tercel.config import PRESETS
from tercel.program import Ask, Request


@pytest.fixture
def tree():
    return Request(
        config=PRESETS["tiny"],
        tokens=(None,) * 5,
        parents=(-1, 0, 0, 2, 1),
        base=7,
        ask=Ask(argmax=False),
    )


def test_positions_are_depths_from_the_base(tree):
    assert tree.nodes == 5
    assert tree.positions == [7, 8, 8, 9, 9]


def test_a_node_sees_its_ancestors_and_itself(tree):
    expected = [[1, 0, 0, 0, 0], [1, 1, 0, 0, 0], [1, 0, 1, 0, 0], [1, 0, 1, 1, 0], [1, 1, 0, 0, 1]]
    assert np.array_equal(tree.ancestors, np.array(expected, bool))


def request(**ask):
    return Request(
        config=PRESETS["tiny"],
        tokens=(5,),
        parents=(-1,),
        base=0,
        ask=Ask(**{"argmax": False} | ask),
    )


@pytest.mark.parametrize(
    ("ask", "rows"),
    [
        ({}, 0),
        ({"head_rows": 3}, 0),
        ({"hidden": (0,)}, 0),
        ({"argmax": True}, PRESETS["tiny"].vocab_size),
        ({"top_k": 1}, PRESETS["tiny"].vocab_size),
        ({"logits": (0,)}, PRESETS["tiny"].vocab_size),
        ({"argmax": True, "head_rows": 3}, 3),
    ],
)
def test_the_head_runs_for_its_results_alone(ask, rows):
    assert request(**ask).head_rows == rows


@pytest.mark.parametrize(
    ("mask", "commits"),
    [
        (None, True),
        (((True, False), (True, True)), True),
        (((True, True), (False, True)), False),
        (((False, True), (True, True)), False),
    ],
)
def test_a_pass_that_skips_an_attention_cannot_be_committed(mask, commits):
    made = request(layer_mask=mask)
    assert made.layer_mask == (mask or ((True, True),) * PRESETS["tiny"].layers)
    assert made.commits == commits
