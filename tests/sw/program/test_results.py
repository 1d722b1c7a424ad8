import numpy as np
import pytest

from tercel import numerics
from tercel.config import PRESETS
from tercel.program import Ask, Request, read_summary, summary_lines


@pytest.fixture
def request_of():
    def make(**fields):
        ask = Ask(**{"argmax": False, "head_rows": 40} | fields)
        return Request(config=PRESETS["tiny"], tokens=(1, 2), parents=(-1, 0), base=0, ask=ask)

    return make


@pytest.fixture
def head():
    """Unscaled logits and scales of three lanes, two of them nodes."""
    rng = np.random.default_rng(5)
    unscaled = rng.normal(size=(3, 40)).astype(np.float32) * 900
    return unscaled, rng.uniform(0.001, 0.01, 3).astype(np.float32)


def words(*lines):
    return np.stack([np.ascontiguousarray(line).view(np.uint32) for line in lines])


def test_only_scales(request_of, head):
    request = request_of(logits=(0,))
    assert summary_lines(request) == 1
    summary = read_summary(words(head[1]), request)
    assert np.array_equal(summary.scale, head[1][:2])
    assert summary.argmax is None
    assert summary.top_ids is None
    assert summary.logsumexp is None


def test_everything(request_of, head):
    unscaled, scale = head
    request = request_of(argmax=True, top_k=4)
    ids = numerics.top_k(unscaled, 4)
    keys = np.take_along_axis(unscaled, ids, 1)
    sums = numerics.exponential_sum(unscaled, scale)
    total = sums.total.view(np.uint32).reshape(3, 2)
    ranks = [line for rank in range(4) for line in (ids[:, rank], keys[:, rank])]
    lines = words(scale, ids[:, 0], keys[:, 0], sums.octave, total[:, 0], total[:, 1], *ranks)
    assert len(lines) == summary_lines(request)
    summary = read_summary(lines, request)
    assert np.array_equal(summary.argmax, ids[:2, 0])
    assert np.array_equal(summary.top_ids, ids[:2])
    assert np.array_equal(summary.top_logits, numerics.logits(keys, scale)[:2])
    assert np.array_equal(summary.logsumexp, sums.log()[:2])


def test_no_more_ranks_than_rows(request_of, head):
    request = request_of(top_k=8, head_rows=3)
    assert summary_lines(request) == 1 + 3 + 2 * 3
