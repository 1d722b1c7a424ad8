"""The memory model with banks against streams that were measured on a KV260.

Evidence class: cycle-accurate simulation of the memory model, beside figures published by
github.com/MerlijnW70/bitnet-kv260 (Apache-2.0), measured on a board: four DMA engines on HP0 to
HP3 at 250 MHz read a stream each, without regard to the others. `python bench/ddr_streams.py`
needs g++.
"""

import argparse
import ctypes
import math
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tercel_sim.ddr import DDR, DdrConfig
from tercel_sim.harness_bindings import NativeDdr, native_ddr
from tercel_sim.verilator import SOURCES

__all__ = ["MODEL", "SCALING", "SWEEP", "Measured", "Phase", "Simulated", "stream"]

PORTS, BEAT_BYTES, BURST = 4, 16, 64
KIB = 1024
SOURCE = Path(__file__).with_suffix(".cpp")
FLAGS = ("-std=c++17", "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared")
REGION = 1 << 26
"""Bytes from a port's memory to the next, a multiple of the span of all banks."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A measurement: four streams of one length."""

    offsets: tuple[int, int, int, int]
    """Where the streams begin, in KiB, modulo the 64 KiB of a row of all banks."""
    microseconds: float
    """Until the last stream has ended."""


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A phase of the 2b model's layer: four streams, one behind the other in memory."""

    name: str
    bytes: int
    """Size of each stream."""
    stride: int
    """Bytes from a stream to the next."""
    repeats: int
    """Runs in a layer."""
    microseconds: float


SWEEP = [
    Measured(offsets=offsets, microseconds=time)
    for offsets, time in [
        *(((0, 0, 0, 0), 108.8), ((0, 0, 0, 16), 101.7), ((0, 0, 0, 32), 98.3)),
        *(((0, 0, 16, 0), 96.6), ((0, 0, 16, 16), 92.4), ((0, 0, 16, 32), 90.9)),
        *(((0, 0, 32, 0), 102.3), ((0, 0, 32, 32), 89.1), ((0, 0, 32, 48), 91.0)),
        *(((0, 0, 48, 16), 88.2), ((0, 8, 8, 8), 113.6), ((0, 16, 0, 0), 95.6)),
        *(((0, 16, 16, 0), 111.6), ((0, 16, 16, 16), 102.2), ((0, 16, 16, 32), 99.5)),
        *(((0, 16, 32, 48), 90.4), ((0, 24, 24, 8), 114.0), ((0, 24, 40, 56), 86.5)),
        *(((0, 32, 0, 32), 89.1), ((0, 32, 16, 48), 89.3), ((0, 32, 24, 24), 116.7)),
        *(((0, 32, 32, 0), 105.8), ((0, 32, 32, 32), 99.4), ((0, 40, 56, 24), 86.3)),
        *(((0, 48, 0, 24), 87.1), ((0, 48, 32, 16), 94.6), ((0, 48, 48, 0), 105.9)),
        *(((0, 56, 40, 24), 86.7), ((0, 56, 56, 56), 93.9)),
    ]
]
"""Some of the 512 offsets in results/sweep-2026-09-26.txt; 327,680 bytes on each port."""
SWEEP_BYTES = 327_680
MODEL = [
    Phase(name="qkv", bytes=491_520, stride=491_520, repeats=1, microseconds=136.4),
    Phase(name="o", bytes=327_680, stride=327_680, repeats=1, microseconds=111.5),
    Phase(name="gate+up", bytes=884_736, stride=1_769_472, repeats=2, microseconds=301.8),
    Phase(name="down", bytes=890_880, stride=890_880, repeats=1, microseconds=249.1),
]
"""results/probe-2026-09-26.txt; all phases together are published as 12.73 GB/s."""
MODEL_GBS = 12.73
LONG_GBS = (15.93, 16.01)
LONG_BYTES = 16_416_768
"""Bytes of each stream of the head."""
SCALING = {1: 3.96, 2: 7.89, 3: 11.63}
"""GB/s of so many engines, results/kria-ddr-results.txt."""


@cache
def _library() -> ctypes.CDLL:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ddr_streams.so"
        command = ["g++", *FLAGS, f"-I{SOURCES}", str(SOURCE), "-o", str(path)]
        subprocess.run(command, check=True, timeout=300)
        library = ctypes.CDLL(str(path))
    numbers = ctypes.POINTER(ctypes.c_uint64)
    library.ddr_streams.argtypes = (
        *(ctypes.POINTER(NativeDdr), numbers, numbers),
        *(ctypes.c_uint64, numbers),
    )
    return library


@dataclass(frozen=True, kw_only=True)
class Simulated:
    """Streams in the simulation."""

    cycles: tuple[int, ...]
    """Until each port's stream has ended, 0 if it has none."""
    bytes: int
    clock_mhz: float

    @property
    def microseconds(self) -> float:
        return max(self.cycles) / self.clock_mhz

    @property
    def gbs(self) -> float:
        return self.bytes / self.microseconds / 1e3

    @property
    def late(self) -> float:
        """Part by which the second and third port end after the other two."""
        first, second, third, fourth = self.cycles
        return max(second, third) / max(first, fourth) - 1


def stream(ddr: DdrConfig, offsets: Sequence[int], sizes: Sequence[int]) -> Simulated:
    """Read a stream on every port at once.

    Parameters
    ----------
    offsets
        Bytes by which each stream begins after a multiple of the span of all banks.
    sizes
        Bytes of each stream, in whole bursts.
    """
    config = native_ddr(ddr, port_bytes=max(sizes), beat_bytes=BEAT_BYTES)
    four = ctypes.c_uint64 * PORTS
    bases = four(*((port + 1) * REGION + offset for port, offset in enumerate(offsets)))
    beats = four(*(size // BEAT_BYTES for size in sizes))
    ends, limit = four(), 100 * max(beats)
    if not _library().ddr_streams(config, bases, beats, limit, ends):
        raise RuntimeError(f"streams of {sizes} bytes do not end within {limit} cycles")
    return Simulated(cycles=tuple(ends), bytes=sum(sizes), clock_mhz=ddr.clock_mhz)


def sweep(ddr: DdrConfig) -> list[tuple[Measured, Simulated]]:
    """Simulate the streams of the address sweep."""
    sizes = [SWEEP_BYTES] * PORTS
    return [(each, stream(ddr, [KIB * k for k in each.offsets], sizes)) for each in SWEEP]


def model_stream(ddr: DdrConfig) -> tuple[list[tuple[Phase, Simulated]], float]:
    """Simulate the phases of a layer; return them, and the GB/s of all together."""
    found = [
        (phase, stream(ddr, [port * phase.stride for port in range(PORTS)], [phase.bytes] * PORTS))
        for phase in MODEL
    ]
    moved = sum(phase.repeats * each.bytes for phase, each in found)
    time = sum(phase.repeats * each.microseconds for phase, each in found)
    return found, moved / time / 1e3


def long_stream(ddr: DdrConfig) -> Simulated:
    """Simulate a stream as long as the head's, on each port in another bank."""
    return stream(ddr, [16 * KIB * port for port in range(PORTS)], [LONG_BYTES] * PORTS)


def engines(ddr: DdrConfig, count: int) -> float:
    """GB/s of so many engines that share 4,423,680 bytes."""
    size = 4_423_680 // count // (BURST * BEAT_BYTES) * BURST * BEAT_BYTES
    sizes = [size if port < count else 0 for port in range(PORTS)]
    return stream(ddr, [port * size for port in range(PORTS)], sizes).gbs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ddr", default="kv260-banks", choices=DDR)
    ddr = DDR[parser.parse_args().ddr]
    table = Table(title="streams on four ports, GB/s")
    for head in ("stream", "measured", "model", "error", "HP1, HP2 later by"):
        table.add_column(head, justify="right")
    phases, whole = model_stream(ddr)

    def row(name: str, measured: float, found: float, late: str = "") -> None:
        error = f"{100 * (found / measured - 1):+.1f} %"
        table.add_row(name, f"{measured:.2f}", f"{found:.2f}", error, late)

    for phase, each in phases:
        row(phase.name, each.bytes / phase.microseconds / 1e3, each.gbs, f"{100 * each.late:.0f} %")
    row("model", MODEL_GBS, whole)
    row("long", sum(LONG_GBS) / 2, long_stream(ddr).gbs)
    for count, gbs in SCALING.items():
        row(f"{count} engines", gbs, engines(ddr, count))
    errors = []
    for measured, each in sweep(ddr):
        gbs = each.bytes / measured.microseconds / 1e3
        errors.append(each.gbs / gbs - 1)
        row("at " + " ".join(map(str, measured.offsets)), gbs, each.gbs, f"{100 * each.late:.0f} %")
    Console(width=110).print(table)
    square = math.sqrt(sum(error**2 for error in errors) / len(errors))
    mean = sum(errors) / len(errors)
    print(f"sweep of {len(errors)}: error {100 * square:.1f} % rms, {100 * mean:+.1f} % on average")


if __name__ == "__main__":
    main()
