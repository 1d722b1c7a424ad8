import numpy as np
import pytest

from tercel.sampling import SamplingConfig, gumbel
from tercel.speculation.drafters.shared_noise import rank_candidates

GREEDY = SamplingConfig()
IDS = np.array([3, 9, 4])


def test_at_temperature_0_the_estimates_are_the_probabilities():
    log_q = np.log([0.2, 0.5, 0.1])
    ranked = rank_candidates(GREEDY, 7, IDS, log_q, most=8)
    assert [token for token, _ in ranked] == [9, 3, 4]
    assert [estimate for _, estimate in ranked] == pytest.approx([0.5, 0.2, 0.1])
    only_best = SamplingConfig(temperature=0.9, top_k=1, seed=4)
    assert rank_candidates(only_best, 7, IDS, log_q, most=1) == ranked[:1]


def test_trust_sharpens_the_estimates_and_keeps_the_order():
    log_q = np.log([0.2, 0.5, 0.1])
    ranked = rank_candidates(GREEDY, 7, IDS, log_q, most=3, trust=2)
    squares = np.array([0.25, 0.04, 0.01])
    assert [token for token, _ in ranked] == [9, 3, 4]
    rest = 0.2**2  # of the tokens that are no candidates
    assert [estimate for _, estimate in ranked] == pytest.approx(squares / (squares.sum() + rest))


def test_no_candidates_and_equal_ones():
    none = np.array([], np.int64)
    assert rank_candidates(GREEDY, 7, none, none.astype(float), most=4) == []
    equal = rank_candidates(GREEDY, 7, IDS, np.log(np.full(3, 1 / 3)), most=4)
    assert [token for token, _ in equal] == [3, 9, 4]


@pytest.mark.parametrize("temperature", [0.6, 1.0, 1.7])
def test_a_drafter_that_knows_the_model_ranks_the_drawn_token_first(temperature):
    """With q = p the first candidate is the sampler's own draw, at every position and seed."""
    rng = np.random.default_rng(0)
    for position in range(50):
        p = rng.dirichlet(np.full(20, 0.5))
        ids = rng.permutation(5000)[:20]
        config = SamplingConfig(temperature=temperature, seed=position // 7)
        scores = np.log(p) / temperature + gumbel(config.seed, position, ids)
        ranked = rank_candidates(config, position, ids, np.log(p), most=20)
        assert [token for token, _ in ranked] == ids[np.argsort(-scores)].tolist()
        estimates = np.array([estimate for _, estimate in ranked])
        expected = np.exp(np.sort(scores)[::-1])
        assert estimates == pytest.approx(expected / expected.sum())


def test_the_estimate_is_the_rate_of_agreement_for_errors_of_the_assumed_law():
    rng = np.random.default_rng(1)
    config, ids, rounds = SamplingConfig(temperature=1.0), np.arange(30), 4000
    hits = told = without_noise = 0.0
    for position in range(rounds):
        log_q = np.log(rng.dirichlet(np.full(30, 0.3)) + 1e-9)
        drawn = np.argmax(log_q + gumbel(0, position, ids) + rng.gumbel(size=30))
        token, estimate = rank_candidates(config, position, ids, log_q, most=1)[0]
        hits += token == drawn
        told += estimate
        without_noise += np.argmax(log_q) == drawn
    assert told / rounds == pytest.approx(hits / rounds, abs=0.025)
    assert hits > 1.3 * without_noise
