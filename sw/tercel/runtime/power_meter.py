"""Energy and temperature while something runs, read from sensors by a thread."""

import threading
from collections.abc import Callable, Sequence
from time import perf_counter

from tercel.hwmon import Sensor

__all__ = ["PowerMeter"]

PERIOD = 0.02
"""Seconds between two readings; an INA260 has a new value every few milliseconds."""


class PowerMeter:
    """Reads power and temperature from its start to its stop, as a context.

    A last reading at the stop makes even the shortest run have one; the energy is the mean power
    times the time.

    Parameters
    ----------
    power
        Sensors whose sum is the power.
    temperature
        Sensors whose highest value counts.
    clock
        Seconds.

    Raises
    ------
    TercelError
        At the stop, if a sensor did not answer.
    """

    def __init__(
        self,
        power: Sequence[Sensor],
        temperature: Sequence[Sensor],
        clock: Callable[[], float] = perf_counter,
    ):
        self._power = tuple(power)
        self._temperature = tuple(temperature)
        self._clock = clock
        self._watts: list[float] = []
        self._degrees: list[float] = []
        self._started = self._seconds = 0.0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def joules(self) -> float | None:
        """Energy of the last run; ``None`` without a power sensor."""
        if not self._power:
            return None
        return sum(self._watts) / len(self._watts) * self._seconds

    @property
    def temperature(self) -> float | None:
        """Highest temperature since the meter was made; ``None`` without a sensor."""
        return max(self._degrees, default=None)

    def __enter__(self) -> "PowerMeter":
        self._watts = []
        if self._power or self._temperature:
            self._stop.clear()
            self._thread = threading.Thread(target=self._follow, daemon=True)
            self._thread.start()
        self._started = self._clock()
        return self

    def __exit__(self, *error: object) -> None:
        self._seconds = self._clock() - self._started
        if self._thread is None:
            return
        self._stop.set()
        self._thread.join()
        self._thread = None
        if error[0] is None:
            self._read()

    def _follow(self) -> None:
        while not self._stop.wait(PERIOD):
            try:
                self._read()
            except Exception:  # the reading at the stop reports it
                return

    def _read(self) -> None:
        if self._power:
            self._watts.append(sum(sensor.read() for sensor in self._power))
        if self._temperature:
            self._degrees.append(max(sensor.read() for sensor in self._temperature))
