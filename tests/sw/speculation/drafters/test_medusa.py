"""States and the static tree of Medusa heads against their definitions."""

import itertools

import numpy as np
import pytest
from head_tensors import LEVELS, medusa_tensors

from tercel.sampling import SamplingConfig
from tercel.speculation import ROOT, DraftBudget, DraftState
from tercel.speculation.drafters.int8_matrix import read_matrix
from tercel.speculation.drafters.medusa import MedusaDrafter


@pytest.mark.parametrize("sees_root", [True, False])
def test_states_follow_the_formula(make_image, sees_root):
    image = make_image(1)
    tensors = medusa_tensors(image, sees_root=sees_root)
    drafter = MedusaDrafter(tensors, image)
    d = image.config.hidden_size
    hidden = np.random.default_rng(5).normal(0, 1, d).astype(np.float32)
    values, scales = image.rows("embedding", [7])
    embedding = values[0] * scales[0].astype(np.float64)
    state = drafter._first(hidden, 7)
    for level in range(LEVELS):
        rows = slice(level * d, (level + 1) * d)
        y = hidden.astype(np.float64)
        if sees_root:
            y = hidden @ read_matrix(tensors, "state")[rows].astype(np.float64)
            y = y + embedding @ read_matrix(tensors, "token")[rows]
        sums = y @ read_matrix(tensors, "block")[rows].astype(np.float64) + tensors["bias"][level]
        assert np.allclose(state, y + sums / (1 + np.exp(-sums)), atol=1e-4)
        if level + 1 < LEVELS:
            state = drafter._next(state, 9, level + 1)


@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_the_tree_is_the_best_of_all_by_the_accuracies_of_ranks(make_image, temperature):
    image = make_image(1)
    tensors = medusa_tensors(image)
    accuracy = tensors["accuracy"][int(temperature > 0)].astype(np.float64)
    drafter = MedusaDrafter(tensors, image, least=0.0)
    drafter._input = np.ones(image.config.hidden_size, np.float32)
    sampling = SamplingConfig(temperature=temperature)
    state = DraftState(tokens=[4], position=0, sampling=sampling)
    products = sorted(
        (
            float(np.prod([accuracy[level, rank] for level, rank in enumerate(path)]))
            for depth in range(1, LEVELS + 1)
            for path in itertools.product(range(7), repeat=depth)
        ),
        reverse=True,
    )
    tree = drafter.propose(state, DraftBudget(nodes=7, depth=7))
    assert np.allclose(sorted(tree.estimates, reverse=True), products[:7], rtol=1e-5)
    other = DraftState(tokens=[9], position=3, sampling=sampling)
    again = drafter.propose(other, DraftBudget(nodes=7, depth=7))
    assert again.parents == tree.parents
    assert again.tokens != tree.tokens
    assert tree.parents[0] == ROOT
