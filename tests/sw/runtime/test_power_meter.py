import time
from types import SimpleNamespace

import pytest

from tercel.errors import TercelError
from tercel.runtime import power_meter
from tercel.runtime.power_meter import PowerMeter


def sensor(*values):
    """A sensor that reads these values, then the last one for ever."""
    left = list(values)
    return SimpleNamespace(read=lambda: left.pop(0) if len(left) > 1 else left[0])


def _no_answer():
    raise TercelError("no answer")


BROKEN = SimpleNamespace(read=_no_answer)


def test_energy_is_the_mean_power_times_the_time():
    clock = iter([3.0, 7.0])
    meter = PowerMeter([sensor(2.5), sensor(0.5)], [], clock=lambda: next(clock))
    with meter:
        pass
    assert meter.joules == 3 * 4
    assert meter.temperature is None


def test_the_thread_reads_while_something_runs(monkeypatch):
    monkeypatch.setattr(power_meter, "PERIOD", 0.001)
    clock = iter([0.0, 1.0, 0.0, 1.0])
    hot = sensor(40.0, 60.0, 41.0)
    meter = PowerMeter([sensor(8.0, 4.0)], [hot], clock=lambda: next(clock))
    with meter:
        time.sleep(0.1)
    assert 4 < meter.joules < 8
    assert meter.temperature == 60
    with meter:  # the energy is that of the last run
        time.sleep(0.1)
    assert meter.joules == 4
    assert meter.temperature == 60


def test_without_sensors_there_is_nothing():
    meter = PowerMeter([], [])
    with meter:
        pass
    assert meter.joules is meter.temperature is None


def test_a_sensor_that_fails_is_reported_at_the_stop(monkeypatch):
    monkeypatch.setattr(power_meter, "PERIOD", 0.001)

    def read():
        raise TercelError("no answer")

    with (
        pytest.raises(TercelError, match="no answer"),
        PowerMeter([SimpleNamespace(read=read)], []),
    ):
        time.sleep(0.02)


def test_an_error_inside_is_not_hidden():
    with pytest.raises(ZeroDivisionError), PowerMeter([BROKEN], []):
        raise ZeroDivisionError
