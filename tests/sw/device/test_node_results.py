import numpy as np
import pytest

from tercel.device.node_results import NodeResults
from tercel.errors import TercelError


@pytest.fixture
def reads():
    return []


@pytest.fixture
def logits(reads):
    table = np.arange(20, dtype=np.float32).reshape(4, 5)

    def read(node, rows):
        reads.append((node, rows is None))
        return table[node] if rows is None else table[node, rows]

    return NodeResults((2, 0, 2), read)


def test_only_what_is_used_is_read_and_only_once(logits, reads):
    assert list(logits) == [2, 0]
    assert len(logits) == 2
    assert not reads
    assert logits.at(0, np.array([1, 4])).tolist() == [1, 4]
    assert reads == [(0, False)]
    assert logits[2].tolist() == logits[2].tolist() == [10, 11, 12, 13, 14]
    assert logits.at(2, np.array([3])).tolist() == [13]
    assert reads == [(0, False), (2, True)]


def test_logits_that_were_read_outlive_the_others(logits, reads):
    kept = logits[2]
    logits.expire()
    assert logits[2] is kept
    assert logits.at(2, np.array([1])).tolist() == [11]
    for use in (lambda: logits[0], lambda: logits.at(0, np.array([1])), lambda: dict(logits)):
        with pytest.raises(TercelError, match="the device's next pass has replaced these results"):
            use()
    assert reads == [(2, True)]


def test_other_nodes_have_none(logits, reads):
    for use in (lambda: logits[1], lambda: logits.at(1, np.array([0]))):
        with pytest.raises(KeyError):
            use()
    assert not reads
