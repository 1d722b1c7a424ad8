"""Checks of constructor arguments, one wording for all."""

__all__ = ["check_integer", "check_power_of_two"]


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
