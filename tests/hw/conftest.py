"""Idle and back-pressure patterns; a folder may have its own."""

import pytest

from tercel_sim.testbench import every_cycle, random_gaps


@pytest.fixture(params=[None, 11], ids=["flowing", "gaps"])
def idle(request):
    return random_gaps(request.param) if request.param else every_cycle


@pytest.fixture(params=[None, 12], ids=["taking", "pausing"])
def back_pressure(request):
    return random_gaps(request.param, 0.4) if request.param else every_cycle
