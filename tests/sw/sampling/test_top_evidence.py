"""Bounds from a device's top-k and log-sum-exp hold for the sum over all tokens."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tercel import numerics
from tercel.sampling import SamplingConfig
from tercel.sampling.top_evidence import TopEvidence, top_in_order


def evidence(unscaled, scale, k, **config):
    """The evidence, and the weights of all tokens in order."""
    unscaled, scale = np.asarray(unscaled, np.float32)[None], np.full(1, scale, np.float32)
    logits = numerics.logits(unscaled, scale)[0]
    top = numerics.top_k(unscaled, k)[0]
    ids, best = top_in_order(top, logits[top])
    above = np.count_nonzero(best > best[-1])
    config = SamplingConfig(**config)
    ordered = np.sort(logits.astype(np.float64))[::-1]
    with np.errstate(over="ignore"):
        weights = np.exp((ordered - ordered[0]) / config.temperature)
    return (
        TopEvidence(
            config=config,
            ids=ids[:above],
            logits=best[:above],
            border=best[-1],
            at_border=k - above,
            rows=len(logits),
            logsumexp=float(numerics.exponential_sum(unscaled, scale).log()[0]),
        ),
        weights,
    )


@settings(deadline=None)
@given(
    seed=st.integers(0, 10**6),
    rows=st.sampled_from([20, 500, 5000]),
    spread=st.sampled_from([0.01, 0.5, 3.0, 20.0, 100.0]),
    shift=st.sampled_from([0.0, 80.0, -80.0, 300.0, -300.0]),
    k=st.sampled_from([2, 8, 16]),
    temperature=st.sampled_from([0.05, 0.5, 0.8, 1.0, 1.3, 10.0]) | st.floats(5e-324, 1e30),
    top_p=st.floats(0.01, 1),
    min_p=st.just(0.0) | st.floats(0, 1),
)
def test_bounds_hold(seed, rows, spread, shift, k, temperature, top_p, min_p):
    unscaled = np.random.default_rng(seed).normal(shift / spread, 1, rows)
    found, weights = evidence(
        unscaled, spread, k, temperature=temperature, top_p=top_p, min_p=min_p
    )
    low, high = found.total
    assert 0 < low <= weights.sum() <= high
    sums = np.cumsum(weights)
    kept = np.concatenate([[0.0], sums[:-1]]) < top_p * sums[-1] if top_p < 1 else sums > 0
    kept &= weights >= min_p
    kept[0] = True
    kept, m = np.logical_and.accumulate(kept), len(found.ids)
    assert not (found.kept & ~kept[:m]).any()
    assert not (found.cut & kept[:m]).any()
    if found.cuts_unseen:
        assert not kept[m:].any()


@pytest.mark.parametrize(
    ("temperature", "ratio", "settled"), [(0.7, 1.01, 0.99), (1.0, 1.003, 0.95), (1.3, 1.5, 0.6)]
)
def test_bounds_are_narrow_enough_to_be_of_use(temperature, ratio, settled):
    """Zipf's law: most of the top-k is settled."""
    unscaled = -1.6 * np.log(np.random.default_rng(1).permutation(32000) + 1.0)
    found, _ = evidence(unscaled, 1.0, 64, temperature=temperature, top_p=0.8)
    low, high = found.total
    assert high / low < ratio
    assert (found.kept | found.cut).mean() > settled
    exact, _ = evidence(unscaled[:64], 1.0, 64, temperature=temperature, top_p=0.8)
    assert exact.total[1] / exact.total[0] < 1 + 1e-8


def test_ties_of_the_device_are_put_in_order():
    ids, logits = top_in_order(np.array([9, 4, 7], np.int32), np.array([2, 2, 1], np.float32))
    assert ids.tolist() == [4, 9, 7]
    assert logits.tolist() == [2, 2, 1]
