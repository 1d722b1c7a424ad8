import pytest

from tercel.speculation.drafters.acceptance_rates import AcceptanceRates


def test_rates_begin_with_the_guess_and_follow_the_observations():
    rates = AcceptanceRates([0.5, 0.25], weight=1.0, memory=2.0)
    assert (len(rates), rates[0], rates[1]) == (2, 0.5, 0.25)
    rates.add(0, True)
    assert rates[0] == (0.25 + 1) / (0.5 + 1)
    rates.add(0, False)
    assert rates[0] == 0.625 / 1.75
    assert rates[1] == 0.25


def test_old_observations_are_forgotten():
    rates = AcceptanceRates([0.5])
    for _ in range(1000):
        rates.add(0, True)
    assert rates[0] == pytest.approx(1, abs=1e-6)
    for _ in range(64):
        rates.add(0, False)
    assert rates[0] == pytest.approx(0.37, abs=0.01)
