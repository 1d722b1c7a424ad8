"""What hardware is emitted for."""

import enum

__all__ = ["Target"]


class Target(enum.Enum):
    """Passed to ``elaborate`` as the platform; simulators that pass none get the portable form.

    A component that has a form in a vendor's primitives chooses it by the target. Its portable
    form is the twin that tests and simulations run: the same ports, bits and latency.
    """

    PORTABLE = "portable"
    """No primitive of any vendor."""
    ULTRASCALE_PLUS = "ultrascale+"
    """DSP48E2 where inference does not find all of it."""
