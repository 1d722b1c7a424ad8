"""What hardware is emitted for."""

import enum

from tercel.errors import TercelError

__all__ = ["Target"]


class Target(enum.Enum):
    """Passed to ``elaborate`` as the platform; simulators that pass none get the portable form.

    A component that has a form in a vendor's primitives chooses it by the target. Its portable
    form is the twin that tests and simulations run: the same ports, bits and latency.
    """

    PORTABLE = "portable"
    """No primitive of any vendor."""
    ULTRASCALE_PLUS = "ultrascale+"
    """DSP48E2 where inference does not find all of it; lookup tables in one carry chain."""

    @classmethod
    def parse(cls, value: object, *, what: str = "target") -> "Target":
        """The target of a name.

        Raises
        ------
        TercelError
            If there is none; ``what`` begins the message.
        """
        try:
            return cls(value)
        except ValueError:
            names = ", ".join(target.value for target in cls)
            raise TercelError(f"{what} must be one of {names}, not {value!r}") from None
