"""Latencies by the levels of the trees, counted by hand."""

import pytest

from tercel_hw.tlmm.adder_levels import count_latency, tree_latency


@pytest.mark.parametrize(
    ("bits", "cycles"),
    [(0, 0), (1, 1), (6, 1), (7, 2), (24, 2), (25, 3), (96, 3), (97, 4), (384, 4), (385, 5)],
)
def test_six_bits_are_counted_at_first_and_four_counts_added_later(bits, cycles):
    assert count_latency(bits) == cycles


@pytest.mark.parametrize(
    ("plain", "cycles"), [(1, 1), (3, 1), (4, 2), (9, 2), (10, 3), (27, 3), (28, 4), (81, 4)]
)
def test_three_plain_terms_are_added_at_a_time(plain, cycles):
    assert tree_latency(plain=plain, with_sign=0) == cycles


@pytest.mark.parametrize(
    ("with_sign", "cycles"),
    [
        (1, 2),  # The count of one sign comes after a level, and is added in a second.
        (4, 2),  # Two sums and the count.
        (5, 3),  # Three sums and the count are four terms.
        (6, 3),
        (7, 3),  # Four sums become two; the count, known after two levels, is the third.
        (12, 3),  # Six sums, two, and the count.
        (18, 4),  # Nine sums, three, and the count: four terms.
    ],
)
def test_terms_with_a_sign_wait_for_its_count(with_sign, cycles):
    assert tree_latency(plain=0, with_sign=with_sign) == cycles


def test_both_kinds_share_levels():
    assert tree_latency(plain=3, with_sign=2) == 2
    assert tree_latency(plain=6, with_sign=2) == 3
