"""Devices by name, found under the entry points ``tercel.devices``."""

from importlib.metadata import EntryPoint, entry_points

from tercel.device import Device, DeviceOptions
from tercel.errors import TercelError
from tercel.image import Image

__all__ = ["DEFAULT_DEVICE", "device_class", "device_names", "open_device"]

DEFAULT_DEVICE = "emulator"
GROUP = "tercel.devices"


def _entries() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def device_names() -> tuple[str, ...]:
    """Names of the installed kinds of device."""
    return tuple(sorted(_entries()))


def device_class(name: str) -> type[Device]:
    """The class behind a name; its ``OPTIONS`` are the options of the device.

    Raises
    ------
    TercelError
        If there is no such device, or it needs a package that is not installed.
    """
    entries = _entries()
    if name not in entries:
        known = ", ".join(sorted(entries)) or "none is installed"
        raise TercelError(f"there is no device {name!r}; the known ones are: {known}")
    try:
        return entries[name].load()
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("tercel"):
            raise
        raise TercelError(
            f"the device {name!r} needs {error.name}, which is not installed"
        ) from None


def open_device(name: str, image: Image, options: DeviceOptions | None = None) -> Device:
    """Open a device on an image.

    Parameters
    ----------
    name
        One of :func:`device_names`; its entry point is a :class:`Device`.
    image
        The model.
    options
        An instance of the device's ``OPTIONS``; ``None`` is their defaults.

    Raises
    ------
    TercelError
        If there is no such device, it needs a package that is not installed, or it refuses.
    """
    kind = device_class(name)
    if options is None:
        options = kind.OPTIONS()
    if not isinstance(options, kind.OPTIONS):
        raise TypeError(f"the device {name!r} takes {kind.OPTIONS.__name__}, not {options!r}")
    return kind.open(image, options)
