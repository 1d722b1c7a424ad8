import time

import numpy as np
import pytest
import specified_numerics as specified
from hypothesis import given, settings
from hypothesis import strategies as st

from tercel import numerics


@settings(max_examples=60, deadline=None)
@given(
    size=st.sampled_from([32, 64, 128]),
    rows=st.integers(1, 700),
    values=st.sampled_from(["few", "many", "extreme"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_lists_are_as_documented(size, rows, values, seed):
    rng = np.random.default_rng(seed)
    scores = {
        "few": lambda: rng.integers(-2, 3, (3, rows)).astype(np.float32),
        "many": lambda: rng.normal(0, 1e3, (3, rows)).astype(np.float32),
        "extreme": lambda: rng.choice(
            np.float32([0.0, -0.0, np.inf, -np.inf, 3.4e38, -3.4e38, 1.2e-38, -1.2e-38]), (3, rows)
        ),
    }[values]()
    found = numerics.shortlist(scores, size)
    assert found.dtype == np.int32
    assert found.shape == (3, min(size, rows))
    for node in range(3):
        assert found[node].tolist() == specified.shortlist(scores[node].tolist(), size)


def test_zeros_of_both_signs_tie_to_the_lower_row():
    scores = np.float32([[-1.0, 0.0, -0.0, 0.0, 0.0]]).repeat(8, axis=1)  # five stripes of a bucket
    lists = numerics.shortlist(scores, 32)
    assert (lists[0, :4] // 8).tolist() == [1, 2, 3, 4]
    scores[0, 8:16] = -0.0
    scores[0, :8] = 0.0
    assert (numerics.shortlist(scores, 32)[0, :4] // 8).tolist() == [0, 1, 2, 3]


def test_a_bucket_keeps_four_rows_alone():
    """The best five rows of all are in one bucket: the fifth is not listed."""
    scores = np.zeros((1, 400), np.float32)
    scores[0, [3, 19, 11, 27, 43]] = [5, 4, 3, 2, 1]
    listed = numerics.shortlist(scores, 32)[0]
    assert listed[12:16].tolist() == [3, 11, 19, 27]
    assert 43 not in listed


@pytest.mark.parametrize("rows", [5, 32, 33, 1000])
def test_nodes_do_not_depend_on_each_other(rows):
    scores = np.random.default_rng(rows).normal(size=(7, rows)).astype(np.float32)
    together = numerics.shortlist(scores, 32)
    for node in range(7):
        assert np.array_equal(together[node], numerics.shortlist(scores[node : node + 1], 32)[0])


def test_a_large_vocabulary_takes_a_moment():
    scores = np.random.default_rng(0).normal(size=(8, 131072)).astype(np.float32)
    began = time.process_time()
    numerics.shortlist(scores, 1024)
    assert time.process_time() - began < 1
