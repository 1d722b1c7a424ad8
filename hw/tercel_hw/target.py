"""Targets: the families of devices for which Verilog is emitted."""

import enum

from tercel.errors import TercelError

__all__ = ["Target"]


class Target(enum.Enum):
    """A family of devices, passed to ``elaborate`` as the platform.

    A component that has a form in a vendor's primitives chooses it by the target. Its portable
    form has the same ports, bits and latency; tests and simulators, which pass no platform, run it.
    """

    PORTABLE = "portable"
    """Verilog without vendor primitives."""
    SERIES_7 = "7series"
    """The portable form, in which each memory tells its kind; multipliers become DSP48E1."""
    ULTRASCALE_PLUS = "ultrascale+"
    """Instances of DSP48E2 where inference falls short, of lookup tables with a CARRY8, and of the
    copies of a register."""

    @classmethod
    def parse(cls, value: object, *, what: str = "target") -> "Target":
        """Return the target of a name.

        Raises
        ------
        TercelError
            If there is no such target; ``what`` begins the message.
        """
        try:
            return cls(value)
        except ValueError:
            names = ", ".join(target.value for target in cls)
            raise TercelError(f"{what} must be one of {names}, not {value!r}") from None
