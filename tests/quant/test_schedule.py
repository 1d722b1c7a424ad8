"""The learning-rate schedule."""

import pytest

from tercel.errors import TercelError
from tercel_quant.schedule import Schedule


def test_warms_up_stays_and_decays():
    schedule = Schedule(steps=10, warmup=4, decay=3)
    factors = [schedule.factor(step) for step in range(10)]
    assert factors == [0.25, 0.5, 0.75, 1, 1, 1, 1, 0.75, 0.5, 0.25]


def test_trunk_and_branch_agree_before_the_decay():
    trunk, branch = Schedule(steps=6, warmup=2), Schedule(steps=12, warmup=2, decay=6)
    assert [trunk.factor(step) for step in range(6)] == [branch.factor(step) for step in range(6)]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"steps": -1}, "steps must be a non-negative integer, not -1"),
        ({"steps": 5, "warmup": 1.5}, "warmup must be a non-negative integer, not 1.5"),
        ({"steps": 5, "warmup": 3, "decay": 3}, "but 3 [+] 3 is more than 5; shorten them"),
    ],
)
def test_refuses(fields, message):
    with pytest.raises(TercelError, match=message):
        Schedule(**fields)
