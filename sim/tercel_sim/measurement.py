"""Measurements of passes on a simulated accelerator: its counters and the memory's."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import reduce
from operator import add

from tercel.device import Ask, PassResult
from tercel_hw.registers import COUNTERS, accelerator_registers
from tercel_sim.cycle_account import CycleAccount, account_cycles
from tercel_sim.ddr import DdrConfig
from tercel_sim.lockstep import Lockstep
from tercel_sim.memory_statistics import PortStatistics
from tercel_sim.rtl_device import RtlDevice

__all__ = ["PassMeasurement", "Summary", "measure_pass", "summarise"]


@dataclass(frozen=True, kw_only=True)
class PassMeasurement:
    """Measurement of one pass."""

    nodes: int
    base: int
    """Committed positions before the pass."""
    start: int
    """Cycle of the memory in which the pass began."""
    counted: dict[str, int]
    """Values of the counter registers."""
    ports: tuple[PortStatistics, ...]
    account: CycleAccount
    """Account of the pass's cycles."""

    @property
    def cycles(self) -> int:
        return self.counted["cycles"]


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Sums of the measurements of several passes."""

    passes: int
    tokens: int
    """Number of nodes of all passes."""
    counted: dict[str, int]
    """Sums of the counter registers."""
    ports: tuple[dict[str, int], ...]
    """Sums of :class:`PortStatistics`."""
    account: CycleAccount
    """Account of the cycles of all passes."""
    bandwidth: float
    """Moved bytes as a fraction of those that the memory could have moved."""
    tokens_per_second: float
    """Tokens a second at the clock of the memory's ports, without the host's time."""


def measure_pass(
    device: RtlDevice | Lockstep, tokens: Sequence[int], ask: Ask
) -> tuple[PassMeasurement, PassResult]:
    """Run a pass of a chain of tokens, optionally with its commit, and measure it.

    Parameters
    ----------
    device
        The simulation; a :class:`Lockstep` pair also compares the pass.
    """
    rtl = device.rtl if isinstance(device, Lockstep) else device
    board, base = rtl.board, rtl.length
    board.clear_statistics()
    result = device.run_pass(tokens, ask=ask)
    statistics = board.statistics()
    offsets = accelerator_registers(rtl.accelerator.control).constants()
    counted = {}
    for name in COUNTERS:
        low = board.read_register(offsets[name.upper()])
        counted[name] = low | board.read_register(offsets[name.upper()] + 4) << 32
    account = account_cycles(rtl.ddr, statistics, start=board.started, cycles=counted["cycles"])
    measured = PassMeasurement(
        nodes=len(tokens),
        base=base,
        start=board.started,
        counted=counted,
        ports=statistics.ports,
        account=account,
    )
    return measured, result


def summarise(passes: Iterable[PassMeasurement], ddr: DdrConfig) -> Summary:
    """Add up the measurements of at least one pass."""
    passes = list(passes)
    counted = {name: sum(each.counted[name] for each in passes) for name in COUNTERS}
    columns = zip(*(each.ports for each in passes), strict=True)
    ports = tuple(
        {name: sum(getattr(port, name) for port in column) for name in asdict(column[0])}
        for column in columns
    )
    tokens = sum(each.nodes for each in passes)
    seconds = counted["cycles"] / (ddr.clock_mhz * 1e6)
    moved = counted["bytes_read"] + counted["bytes_written"]
    return Summary(
        passes=len(passes),
        tokens=tokens,
        counted=counted,
        ports=ports,
        account=reduce(add, (each.account for each in passes)),
        bandwidth=moved / seconds / (ddr.sustained_gbs * 1e9),
        tokens_per_second=tokens / seconds,
    )
