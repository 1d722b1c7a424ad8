"""Guesses of a trimmed head against a loop over its candidates."""

import math

import numpy as np
import pytest
from head_tensors import CANDIDATES, LEVELS, head_tensors

from tercel.errors import TercelError
from tercel.sampling import SamplingConfig, gumbel
from tercel.speculation.drafters.int8_matrix import read_matrix
from tercel.speculation.drafters.trimmed_head import TrimmedHead

WIDTH = 24
SAMPLINGS = [
    SamplingConfig(),
    SamplingConfig(temperature=0.8, seed=3),
    SamplingConfig(temperature=1.2, seed=4),
    SamplingConfig(temperature=0.8, top_k=5, seed=5),
    SamplingConfig(temperature=1.2, top_p=0.7, seed=6),
    SamplingConfig(temperature=1.2, min_p=0.05, seed=7),
    SamplingConfig(temperature=0.9, top_k=9, top_p=0.8, min_p=0.02, seed=8),
    SamplingConfig(temperature=0.9, top_k=1, seed=9),
]


@pytest.fixture
def tensors(make_image):
    return head_tensors(make_image(1), np.random.default_rng(1), width=WIDTH)


def kept(logits, sampling):
    """Tokens that pass top-k, top-p and min-p, by the definition of each."""
    best = sorted(logits, key=logits.__getitem__, reverse=True)
    best = best[: sampling.top_k or None]
    weights = [math.exp((logits[t] - logits[best[0]]) / sampling.temperature) for t in best]
    if sampling.top_p < 1:
        total, count = 0.0, 0
        while total < sampling.top_p * sum(weights):
            total, count = total + weights[count], count + 1
        best, weights = best[:count], weights[:count]
    return [t for t, w in zip(best, weights, strict=True) if w >= sampling.min_p]


def expected_guess(tensors, state, token, sampling, position, depth):
    logits = {}
    weight = read_matrix(tensors, "head").astype(np.float64)
    for row in tensors["candidates"][token]:
        logits[int(tensors["ids"][row])] = float(weight[row] @ state)
    drawn = 0 if sampling.greedy else 1
    scores = dict(logits)
    if drawn:
        for candidate in kept(logits, sampling):
            noise = gumbel(sampling.seed, position, [candidate])[0]
            scores[candidate] = logits[candidate] + sampling.temperature * noise
        scores = {candidate: scores[candidate] for candidate in kept(logits, sampling)}
    spread = float(tensors["spread"][drawn, depth])
    best = max(scores.values())
    weights = {t: math.exp((score - best) / spread) for t, score in scores.items()}
    share = float(tensors["coverage"][drawn, depth]) / sum(weights.values())
    return sorted(((t, w * share) for t, w in weights.items()), key=lambda pair: -pair[1])


@pytest.mark.parametrize("sampling", SAMPLINGS, ids=str)
@pytest.mark.parametrize("most", [1, 5, CANDIDATES, 30])
def test_guesses_are_those_of_the_definition(tensors, sampling, most):
    head = TrimmedHead(tensors)
    assert head.levels == LEVELS
    rng = np.random.default_rng(2)
    for token in (0, 5, 256):
        for depth in range(LEVELS):
            state = rng.normal(0, 0.5, WIDTH).astype(np.float32)
            found = head.guess(state, token, sampling, position=11, depth=depth, most=most)
            expected = expected_guess(tensors, state, token, sampling, 11, depth)[:most]
            likely = [pair for pair in found if pair[1] > 0]
            assert [token for token, _ in likely] == [token for token, _ in expected]
            assert np.allclose([p for _, p in likely], [p for _, p in expected], rtol=1e-4)


BREAKS = {
    "ids": lambda a: a[:-1],
    "candidates": lambda a: a + np.uint16(100),
    "spread": lambda a: a * 0,
    "coverage": lambda a: a[:, :-1],
    "head": lambda a: a[:-1],
}


@pytest.mark.parametrize("name", ["ids", "candidates", "spread", "coverage", "head", "head.scale"])
def test_a_missing_array_is_named(tensors, name):
    del tensors[name]
    with pytest.raises(TercelError, match=f"no array '{name}'"):
        TrimmedHead(tensors)


@pytest.mark.parametrize("name", BREAKS)
def test_arrays_that_do_not_fit_are_refused(tensors, name):
    tensors[name] = BREAKS[name](tensors[name])
    if name == "head":
        tensors["head.scale"] = tensors["head.scale"][:-1]
    with pytest.raises(TercelError, match="do not fit together"):
        TrimmedHead(tensors)
