"""Sensors that the Linux kernel shows in ``/sys/class/hwmon``: power and temperature."""

from dataclasses import dataclass
from pathlib import Path

from tercel.errors import TercelError

__all__ = ["HWMON", "Sensor", "power_sensors", "read_sensors", "temperature_sensors"]

HWMON = Path("/sys/class/hwmon")
KINDS = {"power": (1e-6, "W"), "temp": (1e-3, "degC"), "curr": (1e-3, "A"), "in": (1e-3, "V")}
"""Scale of an ``input`` file's integer and the unit, by the kind that its name begins with."""


@dataclass(frozen=True, kw_only=True)
class Sensor:
    """One input of a chip."""

    chip: str
    """Name of the chip, as ``ina260_u14``."""
    kind: str
    """``power``, ``temp``, ``curr`` or ``in``."""
    label: str
    """The driver's label, or the name of the input, as ``power1``."""
    path: Path
    """File with the value."""

    @property
    def unit(self) -> str:
        return KINDS[self.kind][1]

    @property
    def name(self) -> str:
        """Chip and label, as ``ina260_u14 power1``."""
        return f"{self.chip} {self.label}"

    def read(self) -> float:
        """Return the value in :attr:`unit`.

        Raises
        ------
        TercelError
            If the sensor does not answer.
        """
        try:
            return int(self.path.read_text()) * KINDS[self.kind][0]
        except (OSError, ValueError) as error:
            raise TercelError(f"the sensor {self.name} cannot be read: {error}") from None


def read_sensors(root: Path = HWMON) -> tuple[Sensor, ...]:
    """List every input of every chip, in the order of their folders; none without hwmon.

    Parameters
    ----------
    root
        Folder of the chips.
    """
    found = []
    for chip in sorted(root.glob("hwmon*"), key=lambda path: (len(path.name), path.name)):
        name = _text(chip / "name") or chip.name
        for path in sorted(chip.glob("*_input")):
            stem = path.name.removesuffix("_input")
            kind = stem.rstrip("0123456789")
            if kind in KINDS:
                label = _text(chip / f"{stem}_label") or stem
                found.append(Sensor(chip=name, kind=kind, label=label, path=path))
    return tuple(found)


def power_sensors(root: Path = HWMON, *, chip: str = "ina260") -> tuple[Sensor, ...]:
    """List the power inputs of chips whose name begins with ``chip``.

    The INA260 of a Kria board measures all that its module draws.
    """
    return tuple(
        sensor
        for sensor in read_sensors(root)
        if sensor.kind == "power" and sensor.chip.startswith(chip)
    )


def temperature_sensors(root: Path = HWMON) -> tuple[Sensor, ...]:
    """List the temperature inputs of all chips."""
    return tuple(sensor for sensor in read_sensors(root) if sensor.kind == "temp")


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
