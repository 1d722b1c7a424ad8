"""Parameters of the banks of a simulated memory, and of the ports of its controller."""

from dataclasses import dataclass

from tercel.hardware.bank_stagger import BANK_SPAN, PORT_STAGGER
from tercel_hw.checks import check_integer, check_power_of_two

__all__ = ["MAX_PORTS", "BankConfig"]

MAX_PORTS = 16


@dataclass(frozen=True, kw_only=True)
class BankConfig:
    """Banks of a DRAM, of which each has one row open; the defaults are those of a KV260.

    Consecutive addresses fill a row of a bank, then a row of the next bank. An access to an open
    row is served at once; a row of a bank whose open row nobody waits for is opened beside that.

    Raises
    ------
    TypeError, ValueError
        If a field breaks its rule.
    """

    banks: int = 4
    """Number of banks; two that alternate with every access count as one (bank groups)."""
    row_bytes: int = 16384
    """Bytes in a row of a bank."""
    access_bytes: int = 64
    """Bytes that the DRAM moves at once; a shorter part of a burst costs as much."""
    open_cycles: int = 4
    """Cycles to open a row of a bank without an open row, as after a refresh (tRCD, 14 ns)."""
    change_cycles: int = 9
    """Cycles to close a row and open another one (tRTP + tRP + tRCD, 36 ns)."""
    batch: int = 32
    """Accesses that are served from a row while another row of its bank is waited for."""
    window: int = 16
    """Read accesses among which the controller chooses."""
    controller_ports: tuple[int, ...] = (0, 1, 1, 2)
    """Port of the controller behind each AXI port, numbered as they first occur: AXI ports that
    share one send whole bursts by turns. Further AXI ports have a controller port of their own."""
    lags: tuple[int, ...] = ()
    """Cycles by which the reads of each AXI port come later than ``read_latency``, else 0."""
    stagger: int = PORT_STAGGER
    """Bytes by which each port's region begins later than the one before, in the span of all banks:
    as the drivers allocate them; with 0 all begin in one bank."""

    def __post_init__(self):
        check_integer("banks", self.banks, 1, 256)
        check_power_of_two("row_bytes", self.row_bytes, 64, 1 << 20)
        check_power_of_two("access_bytes", self.access_bytes, 16, 64)
        check_integer("open_cycles", self.open_cycles, 0, 1000)
        check_integer("change_cycles", self.change_cycles, self.open_cycles, 1000)
        check_integer("batch", self.batch, 1, 1 << 16)
        check_integer("window", self.window, 1, 256)
        check_integer("stagger", self.stagger, 0, BANK_SPAN - 1)
        for name in ("controller_ports", "lags"):
            values = getattr(self, name)
            if not isinstance(values, tuple) or len(values) > MAX_PORTS:
                raise TypeError(f"{name} must be a tuple of at most {MAX_PORTS}, not {values!r}")
        for port, value in enumerate(self.controller_ports):
            known = 1 + max(self.controller_ports[:port], default=-1)
            check_integer(f"controller_ports[{port}]", value, 0, known)
        for port, value in enumerate(self.lags):
            check_integer(f"lags[{port}]", value, 0, 100_000)

    @property
    def span(self) -> int:
        """Bytes of a row of every bank: addresses so far apart are in different rows of a bank."""
        return self.banks * self.row_bytes

    def controller_port(self, port: int) -> int:
        """Return the port of the controller that serves an AXI port."""
        given = self.controller_ports
        if port < len(given):
            return given[port]
        return 1 + max(given, default=-1) + port - len(given)

    def lag(self, port: int) -> int:
        """Return the cycles by which an AXI port's reads come later."""
        return self.lags[port] if port < len(self.lags) else 0
