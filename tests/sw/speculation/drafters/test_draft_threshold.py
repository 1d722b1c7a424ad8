import pytest

from tercel.errors import TercelError
from tercel.speculation.drafters.draft_threshold import DraftThreshold, ThresholdConfig

ROUNDS = [
    # accepted, drafted, longest; by hand: smoothed rate, then the threshold
    (3, 4, False, 0.801),  # rate 0.375 < 0.9: 0.9 * 0.8 + 0.1 * 0.81
    (5, 5, False, 0.802),  # rate 0.6875
    (8, 8, True, 0.803),  # rate 0.84375
    (8, 8, True, 0.803),  # rate 0.921875, but it had all the tokens it might
    (6, 6, False, 0.802),  # rate 0.9609375: down
    (0, 1, False, 0.803),  # rate 0.48046875: up
]


def test_a_trace_computed_by_hand():
    threshold = DraftThreshold(ThresholdConfig(), greedy=True)
    assert threshold.value == 0.8
    for accepted, drafted, longest, expected in ROUNDS:
        threshold.observe(accepted=accepted, drafted=drafted, longest=longest)
        assert threshold.value == pytest.approx(expected, abs=1e-12)


def test_another_start_and_other_constants():
    """Rate 0.25 * 0 + 0.75 * 1 = 0.75 = the wanted one, so down; 0.5 * 0.6 + 0.5 * 0.5."""
    config = ThresholdConfig(
        sampling_start=0.6,
        acceptance=0.75,
        step=0.1,
        rate_smoothing=0.25,
        threshold_smoothing=0.5,
    )
    threshold = DraftThreshold(config, greedy=False)
    threshold.observe(accepted=2, drafted=2, longest=False)
    assert threshold.value == pytest.approx(0.55)


def test_values_outside_the_unit_interval_are_refused():
    with pytest.raises(TercelError, match=r"acceptance of a draft's threshold .* not 1.5"):
        ThresholdConfig(acceptance=1.5)
