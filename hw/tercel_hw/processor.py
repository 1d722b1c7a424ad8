"""Processing systems: the parts of a Zynq that the build and the device tree must know."""

import enum

from tercel.errors import TercelError

__all__ = ["Processor"]


class Processor(enum.Enum):
    """A family of processing systems, which decides the block design and the device tree."""

    ZYNQ_7 = "zynq7"
    ZYNQMP = "zynqmp"

    @classmethod
    def parse(cls, value: object, *, what: str = "processor") -> "Processor":
        """Return the processing system of a name.

        Raises
        ------
        TercelError
            If there is no such processing system; ``what`` begins the message.
        """
        try:
            return cls(value)
        except ValueError:
            names = ", ".join(processor.value for processor in cls)
            raise TercelError(f"{what} must be one of {names}, not {value!r}") from None

    @property
    def pll(self) -> str:
        """The PLL of the clock for the logic, as the vendor's parameter spells it."""
        return {Processor.ZYNQ_7: "IO PLL", Processor.ZYNQMP: "IOPLL"}[self]

    @property
    def interrupt(self) -> int:
        """Number of the first interrupt from the logic, counted among the shared ones (SPI).

        IRQ_F2P[0] is ID 61 of the controller (UG585), pl_ps_irq0[0] is 121 (UG1085); the shared
        ones begin with 32.
        """
        return {Processor.ZYNQ_7: 61, Processor.ZYNQMP: 121}[self] - 32

    @property
    def protocol(self) -> str:
        """Protocol of the ports to memory."""
        return {Processor.ZYNQ_7: "AXI3", Processor.ZYNQMP: "AXI4"}[self]

    @property
    def burst_beats(self) -> int:
        """Beats of the longest burst at a port to memory."""
        return {"AXI3": 16, "AXI4": 256}[self.protocol]
