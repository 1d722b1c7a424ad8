import pytest

from tercel.device.accelerator import AcceleratorDevice
from tercel.errors import TercelError
from tercel_sim.selfcheck import check_model

SMALL = 8000
"""Cycles of a pass: some tenths of a second."""


@pytest.mark.parametrize("seed", range(10))
def test_random_models_and_passes_have_the_emulators_bits(four_lanes, seed):
    check = check_model(four_lanes, seed=seed, passes=6, most_cycles=SMALL)
    assert check.failure is None, check.failure
    assert check.passes == 6
    assert check.cycles > 6 * 500


def test_a_pass_that_gets_stuck_fails(four_lanes, monkeypatch):
    def stuck(self, *arguments, **options):
        raise TercelError("the pass takes more than 7 cycles")

    monkeypatch.setattr(AcceleratorDevice, "run_pass", stuck)
    failure = check_model(four_lanes, seed=1, passes=3, most_cycles=SMALL).failure
    assert failure is not None
    assert (failure.number, failure.message) == (0, "the pass takes more than 7 cycles")
