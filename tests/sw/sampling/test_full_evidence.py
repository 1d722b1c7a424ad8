import numpy as np
import pytest

from tercel.sampling import SamplingConfig
from tercel.sampling.filters import best_first, surviving
from tercel.sampling.full_evidence import FullEvidence


@pytest.mark.parametrize(
    "filters", [{"top_p": 0.7}, {"min_p": 0.1}, {"top_p": 0.9, "min_p": 0.02}, {}], ids=str
)
@pytest.mark.parametrize("ties", [False, True])
def test_what_passes_is_what_survives(filters, ties):
    logits = np.random.default_rng(2).normal(scale=2, size=200).astype(np.float32)
    if ties:
        logits = np.round(logits)
    config = SamplingConfig(temperature=0.9, **filters)
    ids, ordered = best_first(logits, 0)
    kept = set(ids[: len(surviving(ordered, config))].tolist())
    found = FullEvidence(logits, config)
    assert {token for token in range(200) if found.passes(token)} == kept
    assert all(found.passes(token) is not None for token in range(200))


def test_what_rounding_decides_is_left_open():
    logits = np.full(4, 3.0, np.float32)
    found = FullEvidence(logits, SamplingConfig(temperature=1.0, top_p=0.5))
    assert [found.passes(token) for token in range(4)] == [True, True, None, False]
    found = FullEvidence(logits, SamplingConfig(temperature=1.0, min_p=1.0))
    assert [found.passes(token) for token in range(4)] == [True, None, None, None]
