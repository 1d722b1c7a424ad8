"""Checks of constructor arguments, with the same wording everywhere."""

__all__ = ["check_integer", "check_power_of_two", "check_ram_style"]

RAM_STYLES = (None, "block", "distributed", "ultra")


def check_integer(name: str, value: int, low: int, high: int) -> None:
    """Refuse anything but an integer in ``low..high``.

    Raises
    ------
    ValueError
        Quotes the name, the rule and the value.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{name} must be an integer in {low}..{high}, not {value!r}")


def check_power_of_two(name: str, value: int, low: int, high: int) -> None:
    """Refuse anything but a power of two in ``low..high``.

    Raises
    ------
    ValueError
        Quotes the name, the rule and the value.
    """
    integer = isinstance(value, int) and not isinstance(value, bool)
    if not integer or not low <= value <= high or value & (value - 1):
        raise ValueError(f"{name} must be a power of two in {low}..{high}, not {value!r}")


def check_ram_style(ram_style: str | None) -> None:
    """Refuse anything but a ``ram_style`` attribute of a memory or None.

    Raises
    ------
    ValueError
        Quotes the rule and the value.
    """
    if ram_style not in RAM_STYLES:
        names = ", ".join(repr(style) for style in RAM_STYLES)
        raise ValueError(f"ram_style must be one of {names}, not {ram_style!r}")
