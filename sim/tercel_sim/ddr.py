"""Parameters of the simulated memory, and presets fitted to measurements of a KV260."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tercel_hw.checks import check_integer
from tercel_sim.banks import BankConfig

__all__ = ["DDR", "BankedDdrConfig", "DdrConfig", "parse_ddr"]


def _check_number(name: str, value: float, low: float, high: float) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not low < value <= high:
        raise ValueError(f"{name} must be above {low} and at most {high}, not {value!r}")


@dataclass(frozen=True, kw_only=True)
class DdrConfig:
    """A DRAM behind several AXI4 ports; the defaults are the ``kv260-13.3`` preset.

    Ports take turns beat by beat. A read shows the memory as of its request. Rates, refresh and
    ``read_ahead`` are fitted to measured figures; latencies, ``turnaround`` and queues are
    assumptions.

    Raises
    ------
    ValueError
        If a field breaks its rule.
    """

    clock_mhz: float = 250.0
    """Clock of the ports in MHz; its cycles are the unit of all times."""
    sustained_gbs: float = 13.33
    """Sustained GB/s of all ports together, with refresh."""
    port_rate: float = 1.0
    """Beats a cycle of a port's read channel, and of its write channel."""
    read_latency: int = 50
    """Cycles from a request to its first beat on an idle memory."""
    write_latency: int = 20
    """Cycles from the last beat in memory to the answer."""
    refresh_interval: int = 1950
    """Cycles from one refresh to the next (tREFI, 7.8 us), 0 is never."""
    refresh_cycles: int = 88
    """Cycles of a refresh (tRFC, 350 ns), in which no beat moves between DRAM and ports."""
    turnaround: int = 8
    """Cycles lost from reads to writes and from writes to reads."""
    batch: int = 32
    """Waiting beats of a port that make writes urgent; beats written before reads continue."""
    patience: int = 64
    """Most cycles that fewer writes wait while there are reads."""
    read_ahead: int = 68
    """Beats that a port fetches ahead, which hide a part of a refresh."""
    write_buffer: int = 64
    """Beats that a port accepts before they are in memory."""
    outstanding_reads: int = 16
    """Most bursts that a port has accepted and not wholly answered."""
    outstanding_writes: int = 16
    pause: float = 0.0
    """Probability that a channel of a port does nothing new in a cycle."""
    seed: int = 0
    """Seed of the pauses."""

    def __post_init__(self):
        _check_number("clock_mhz", self.clock_mhz, 0, 2000)
        _check_number("sustained_gbs", self.sustained_gbs, 0, 1000)
        _check_number("port_rate", self.port_rate, 0, 1)
        limits = {
            "read_latency": (1, 100_000),
            "write_latency": (1, 100_000),
            "refresh_interval": (0, 1 << 32),
            "refresh_cycles": (0, max(0, self.refresh_interval - 1)),
            "turnaround": (0, 1000),
            "write_buffer": (1, 4096),
            "batch": (1, self.write_buffer),
            "patience": (0, 1 << 32),
            "read_ahead": (1, 1 << 16),
            "outstanding_reads": (1, 256),
            "outstanding_writes": (1, 256),
            "seed": (0, (1 << 32) - 1),
        }
        for name, (low, high) in limits.items():
            check_integer(name, getattr(self, name), low, high)
        if isinstance(self.pause, bool) or not 0 <= self.pause < 1:
            raise ValueError(f"pause must be at least 0 and below 1, not {self.pause!r}")

    @property
    def refresh_part(self) -> float:
        """Fraction of the time in which the memory refreshes."""
        return self.refresh_cycles / self.refresh_interval if self.refresh_interval else 0.0

    @property
    def sustained_bytes_per_cycle(self) -> float:
        """Sustained bytes a cycle of all ports together."""
        return self.sustained_gbs * 1e3 / self.clock_mhz

    @property
    def bytes_per_cycle(self) -> float:
        """Bytes a cycle of all ports together between refreshes."""
        return self.sustained_bytes_per_cycle / (1 - self.refresh_part)


@dataclass(frozen=True, kw_only=True)
class BankedDdrConfig(DdrConfig):
    """A DRAM with banks behind ports that may share a port of its controller.

    ``sustained_gbs`` is what it moves while every access meets an open row. A port's ``read_ahead``
    includes what waits for its row.

    Raises
    ------
    TypeError, ValueError
        If a field breaks its rule.
    """

    banks: BankConfig = field(default_factory=BankConfig)

    def __post_init__(self):
        super().__post_init__()
        if not isinstance(self.banks, BankConfig):
            raise TypeError(f"banks must be a BankConfig, not {self.banks!r}")
        check_integer("read_ahead", self.read_ahead, self.banks.access_bytes // 8, 1 << 16)


def parse_ddr(values: Mapping[str, Any]) -> DdrConfig:
    """Inverse of ``dataclasses.asdict``, also of what JSON makes of it."""
    if "banks" not in values:
        return DdrConfig(**values)
    banks: dict[str, Any] = dict(values["banks"])
    for name in ("controller_ports", "lags"):
        banks[name] = tuple(banks[name])
    return BankedDdrConfig(**{**values, "banks": BankConfig(**banks)})


DDR = {
    "kv260-13.3": DdrConfig(),
    "kv260-15.0": DdrConfig(sustained_gbs=15.0),
    "kv260-16.0": DdrConfig(sustained_gbs=16.0, read_ahead=128),
    "kv260-banks": BankedDdrConfig(sustained_gbs=16.3, read_ahead=256, outstanding_reads=8),
    "kv260-one-bank": BankedDdrConfig(
        sustained_gbs=16.3, read_ahead=256, outstanding_reads=8, banks=BankConfig(stagger=0)
    ),
    "ultra96v2-3.3": DdrConfig(
        clock_mhz=150.0, sustained_gbs=3.33, refresh_interval=1170, refresh_cycles=53
    ),
    "pynq-z2-1.6": DdrConfig(
        clock_mhz=100.0, sustained_gbs=1.64, refresh_interval=780, refresh_cycles=35
    ),
    "ideal": DdrConfig(
        sustained_gbs=1000.0,
        read_latency=1,
        write_latency=1,
        refresh_interval=0,
        refresh_cycles=0,
        turnaround=0,
    ),
}
"""Presets by name. ``kv260``: four ports of 128 bits at 250 MHz, as measured for streamed weights
(13.3), at best (15.0), and for one long stream (16.0); ``kv260-banks`` is the same
memory with its banks and the controller port that two ports share, ``kv260-one-bank`` with the
ports' regions in step, all in one bank. ``ultra96v2`` and ``pynq-z2``: the share of
the peak that is 15.0 GB/s on the kv260 (78 %), at these boards' clocks. ``ideal`` never waits."""
