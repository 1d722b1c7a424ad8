"""States of blockwise heads against their formula, and the shape of their drafts."""

import numpy as np
import pytest
from head_tensors import LEVELS, blockwise_tensors

from tercel.sampling import SamplingConfig
from tercel.speculation import DraftBudget, DraftState
from tercel.speculation.drafters.blockwise import BlockwiseDrafter
from tercel.speculation.drafters.int8_matrix import read_matrix


@pytest.mark.parametrize("sees_root", [True, False])
def test_states_follow_the_formula(make_image, sees_root):
    image = make_image(1)
    tensors = blockwise_tensors(image, sees_root=sees_root)
    drafter = BlockwiseDrafter(tensors, image)
    d = image.config.hidden_size
    hidden = np.random.default_rng(5).normal(0, 1, d).astype(np.float32)
    sums = hidden @ read_matrix(tensors, "state").astype(np.float64) + tensors["bias"]
    if sees_root:
        values, scales = image.rows("embedding", [7])
        embedding = values[0] * scales[0].astype(np.float64)
        sums = sums + embedding @ read_matrix(tensors, "token")
    outputs = (sums / (1 + np.exp(-sums))) @ read_matrix(tensors, "block")
    state = drafter._first(hidden, 7)
    for level in range(LEVELS):
        assert np.allclose(state, hidden + outputs[level * d : (level + 1) * d], atol=1e-4)
        if level + 1 < LEVELS:
            state = drafter._next(state, 9, level + 1)


@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_a_draft_is_a_chain_of_each_heads_likeliest_token(make_image, temperature):
    image = make_image(1)
    drafter = BlockwiseDrafter(blockwise_tensors(image), image, least=0.0)
    drafter._input = np.ones(image.config.hidden_size, np.float32)
    sampling = SamplingConfig(temperature=temperature)
    state = DraftState(tokens=[4], position=0, sampling=sampling)
    tree = drafter.propose(state, DraftBudget(nodes=7, depth=7))
    assert tree.parents == tuple(range(-1, LEVELS - 1))
