"""What passes of a simulated accelerator took: its own counters and the memory's."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from tercel.device import Ask, PassResult
from tercel_hw.registers import COUNTERS, accelerator_registers
from tercel_hw.top import AcceleratorConfig
from tercel_sim.ddr import DdrConfig
from tercel_sim.rtl_device import RtlDevice
from tercel_sim.statistics import PortStatistics

__all__ = ["PassMeasurement", "Summary", "measure_pass", "summarise"]


@dataclass(frozen=True, kw_only=True)
class PassMeasurement:
    """One pass."""

    nodes: int
    counted: dict[str, int]
    """The counter registers."""
    ports: tuple[PortStatistics, ...]


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Passes of a kind, together."""

    passes: int
    tokens: int
    """Nodes of all passes."""
    counted: dict[str, int]
    """Sums of the counter registers."""
    ports: tuple[dict[str, int], ...]
    """Sums of :class:`PortStatistics`."""
    bandwidth: float
    """Part of the bytes that the memory could have moved."""
    tokens_per_second: float
    """At the clock of the memory's ports, without the host's time."""


def measure_pass(
    device: RtlDevice, accelerator: AcceleratorConfig, tokens: Sequence[int], ask: Ask
) -> tuple[PassMeasurement, PassResult]:
    """Run and commit a chain of tokens."""
    device.board.clear_statistics()
    result = device.run_pass(tokens, ask=ask)
    offsets = accelerator_registers(accelerator.control).constants()
    counted = {}
    for name in COUNTERS:
        offset = offsets[name.upper()]
        low = device.board.read_register(offset)
        counted[name] = low | device.board.read_register(offset + 4) << 32
    ports = device.board.statistics().ports
    device.commit(range(len(tokens)))
    return PassMeasurement(nodes=len(tokens), counted=counted, ports=ports), result


def summarise(passes: Iterable[PassMeasurement], ddr: DdrConfig) -> Summary:
    """Add passes up; there must be one."""
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
        bandwidth=moved / seconds / (ddr.sustained_gbs * 1e9),
        tokens_per_second=tokens / seconds,
    )
