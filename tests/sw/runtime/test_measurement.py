import pytest

from tercel.device import Counters, Timing
from tercel.runtime.measurement import HostParts, Measurement, Spread

COUNTERS = Counters(
    passes=4, nodes=20, tape_bytes_read=3000, kv_bytes_read=1000, kv_bytes_written=500
)


def measurement(**values):
    shape = {"test": "x", "tokens": 10, "host_seconds": (1.0, 2.0), "device_seconds": (0.5, 0.5)}
    shape |= {"simulation_seconds": (0.75, 1.75), "counters": COUNTERS, "timing": Timing.BOARD}
    return Measurement(**(shape | values))


def test_figures_of_a_board():
    found = measurement()
    assert found.tokens_per_second == Spread(mean=7.5, deviation=pytest.approx(3.5355339))
    assert found.milliseconds_per_pass == Spread(mean=750, deviation=pytest.approx(353.55339))
    assert found.accelerator_milliseconds == Spread(mean=250, deviation=0)
    assert found.driver_milliseconds.mean == 500
    assert found.bytes_per_token == 200
    assert found.share_of_memory(1000) == 4500 / 3000


def test_figures_of_a_simulation():
    found = measurement(timing=Timing.SIMULATED)
    assert found.tokens_per_second == Spread(mean=20, deviation=0)
    assert found.milliseconds_per_pass == found.accelerator_milliseconds
    assert found.driver_milliseconds == Spread(mean=125, deviation=0)
    assert found.share_of_memory(1000) == 4.5
    assert measurement(timing=Timing.SIMULATED, simulation_seconds=None).driver_milliseconds is None


def test_figures_of_the_emulator():
    found = measurement(timing=Timing.HOST)
    assert found.tokens_per_second.mean == 7.5
    assert found.accelerator_milliseconds is found.driver_milliseconds is None


def test_figures_of_a_text():
    parts = (HostParts(sampling=0.25, tokenising=0.5), HostParts(sampling=0.25, tokenising=1.5))
    found = measurement(host_parts=parts)
    assert found.sampling_milliseconds == Spread(mean=125, deviation=0)
    assert found.tokenising_milliseconds.mean == 500
    assert measurement().sampling_milliseconds is measurement().tokenising_milliseconds is None


def test_energy():
    assert measurement(joules=(10.0, 30.0)).joules_per_token == 2
    assert measurement().joules_per_token is None


def test_a_single_value_has_no_deviation():
    assert Spread.over([3.0]) == Spread(mean=3, deviation=0)
