"""Bindings of the functions and structures of ``cpp/harness.cpp`` and ``cpp/config.h``."""

import ctypes
from ctypes import POINTER, c_char_p, c_int, c_uint, c_uint8, c_uint32, c_uint64, c_void_p
from pathlib import Path

from tercel.errors import TercelError
from tercel_sim.banks import MAX_PORTS, BankConfig
from tercel_sim.ddr import BankedDdrConfig, DdrConfig

__all__ = [
    "ENDED",
    "LIMIT",
    "NEVER",
    "NO_ANSWER",
    "UNFINISHED",
    "UNWRITTEN",
    "VIOLATION",
    "NativeDdr",
    "NativeMemoryStatistics",
    "NativePortStatistics",
    "load_library",
    "native_ddr",
    "plain",
]

ENDED, LIMIT, VIOLATION, NO_ANSWER, UNWRITTEN, UNFINISHED = range(6)
"""Results of a call that runs the clock."""
NEVER = (1 << 64) - 1
"""Number of a cycle that is never reached."""
RATE_BITS = 24


class NativeBanks(ctypes.Structure):
    """``BankConfig`` of config.h; without banks all fields are 0."""

    _fields_ = (
        *(
            (name, c_uint64)
            for name in (
                *("banks", "row_bytes", "access_bytes", "open_cycles", "change_cycles"),
                *("batch", "window"),
            )
        ),
        ("controller_port", c_uint64 * MAX_PORTS),
        ("lag", c_uint64 * MAX_PORTS),
    )


class NativeDdr(ctypes.Structure):
    """``DdrConfig`` of config.h."""

    _fields_ = (
        *(
            (name, c_uint64)
            for name in (
                *("port_bytes", "memory_rate", "port_rate", "read_latency", "write_latency"),
                *("refresh_interval", "refresh_cycles", "turnaround", "batch", "patience"),
                *("read_ahead", "write_buffer", "outstanding_reads", "outstanding_writes"),
                *("pause", "seed"),
            )
        ),
        ("banks", NativeBanks),
    )


class NativePortStatistics(ctypes.Structure):
    """``PortStatistics`` of config.h."""

    _fields_ = tuple(
        (name, c_uint64)
        for name in (
            *("read_bursts", "write_bursts", "read_beats", "write_beats"),
            *("blocked", "starved", "idle"),
        )
    )


class NativeMemoryStatistics(ctypes.Structure):
    """``MemoryStatistics`` of config.h."""

    _fields_ = tuple(
        (name, c_uint64)
        for name in (
            *("cycles", "refresh", "turnarounds", "turning"),
            *("full", "latency", "unasked", "rows"),
        )
    )


def plain(structure: ctypes.Structure) -> dict[str, int]:
    """Return the fields of a structure by name."""
    return {field[0]: getattr(structure, field[0]) for field in structure._fields_}


def native_ddr(config: DdrConfig, *, port_bytes: int, beat_bytes: int) -> NativeDdr:
    """Return the configuration for port memories of ``port_bytes``, beats of ``beat_bytes``."""
    fields = {
        field[0]: getattr(config, field[0])
        for field in NativeDdr._fields_
        if hasattr(config, field[0])
    }
    if isinstance(config, BankedDdrConfig):
        fields["banks"] = _native_banks(config.banks)
    return NativeDdr(
        **fields
        | {
            "port_bytes": port_bytes,
            "memory_rate": round(config.bytes_per_cycle * (1 << RATE_BITS)),
            "port_rate": round(config.port_rate * beat_bytes * (1 << RATE_BITS)),
            "pause": round(config.pause * (1 << 32)),
        }
    )


def _native_banks(config: BankConfig) -> NativeBanks:
    numbers = {
        field[0]: getattr(config, field[0])
        for field in NativeBanks._fields_
        if field[1] is c_uint64
    }
    ports, each = range(MAX_PORTS), c_uint64 * MAX_PORTS
    return NativeBanks(
        **numbers,
        controller_port=each(*map(config.controller_port, ports)),
        lag=each(*map(config.lag, ports)),
    )


def load_library(path: Path) -> ctypes.CDLL:
    """Load a library of :func:`tercel_sim.verilator.build_library`; declare its functions.

    Raises
    ------
    TercelError
        If this machine cannot load it, for example because another system built it.
    """
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise TercelError(
            f"the simulation {path} cannot be loaded: {error}; remove it, it is then built again"
        ) from error
    simulation, none = c_void_p, None
    functions = {
        "ports": (c_uint, ()),
        "beat_bytes": (c_uint, ()),
        "create": (c_void_p, (POINTER(NativeDdr), POINTER(c_uint64))),
        "destroy": (none, (simulation,)),
        "memory": (POINTER(c_uint8), (simulation, c_uint)),
        "cycles": (c_uint64, (simulation,)),
        "interrupt": (c_int, (simulation,)),
        "reset": (none, (simulation,)),
        "run": (c_int, (simulation, c_uint64, c_uint64)),
        "run_until_interrupt": (c_int, (simulation, c_uint64, c_uint64)),
        "run_while_register": (
            c_int,
            (simulation, c_uint32, c_uint32, c_uint32, c_uint64, c_uint64, c_uint64),
        ),
        "read_register": (c_int, (simulation, c_uint32, POINTER(c_uint32))),
        "write_register": (c_int, (simulation, c_uint32, c_uint32)),
        "fail_read": (none, (simulation, c_uint, c_uint64, c_uint)),
        "fail_write": (none, (simulation, c_uint, c_uint64, c_uint)),
        "stop": (none, (simulation, c_uint, c_uint64)),
        "port_statistics": (none, (simulation, c_uint, POINTER(NativePortStatistics))),
        "memory_statistics": (none, (simulation, POINTER(NativeMemoryStatistics))),
        "clear_statistics": (none, (simulation,)),
        "violation": (c_char_p, (simulation,)),
        "violating_port": (c_uint, (simulation,)),
        "waves": (c_int, (simulation, c_char_p, c_uint64, c_uint64, c_uint64)),
        "close_waves": (c_int, (simulation,)),
    }
    for name, (result, arguments) in functions.items():
        function = getattr(library, f"tercel_{name}")
        function.restype, function.argtypes = result, arguments
    return library
