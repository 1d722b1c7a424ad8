"""Devices by name: whatever is installed under the entry points ``tercel.devices``."""

from importlib.metadata import EntryPoint, entry_points

from tercel.device.interface import Device
from tercel.errors import TercelError
from tercel.image import Image

__all__ = ["DEFAULT_DEVICE", "device_names", "open_device"]

DEFAULT_DEVICE = "emulator"
GROUP = "tercel.devices"


def _entries() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def device_names() -> tuple[str, ...]:
    """Names of the installed kinds of device."""
    return tuple(sorted(_entries()))


def open_device(name: str, image: Image, *, nodes: int = 8, context: int | None = None) -> Device:
    """Open a device on an image.

    Parameters
    ----------
    name
        One of :func:`device_names`; its entry point is a callable
        ``(image, *, nodes, context) -> Device``.
    image
    nodes
        K, the most token nodes of a pass.
    context
        KV positions to hold; ``None`` is the model's own.

    Raises
    ------
    TercelError
        If there is no such device, it needs a package that is not installed, or it refuses.
    """
    entries = _entries()
    if name not in entries:
        known = ", ".join(sorted(entries)) or "none is installed"
        raise TercelError(f"there is no device {name!r}; the known ones are: {known}")
    try:
        make = entries[name].load()
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("tercel"):
            raise
        raise TercelError(
            f"the device {name!r} needs {error.name}, which is not installed"
        ) from None
    return make(image, nodes=nodes, context=context)
