"""The C++ model of a memory, its pins in the hands of a test."""

import ctypes
import subprocess
from ctypes import POINTER, c_char_p, c_uint, c_uint8, c_uint32, c_uint64, c_void_p
from pathlib import Path

import numpy as np
from axi_managers import BEAT_BYTES, playing

from tercel_sim.ddr import DDR, DdrConfig
from tercel_sim.harness_bindings import NEVER, NativeDdr, native_ddr
from tercel_sim.verilator import SOURCES

__all__ = ["BASES", "PORTS", "MemoryProbe", "build_probe"]

PORTS = 2
BASES = (0x10_0000, 0x20_0000)
SOURCE = Path(__file__).with_suffix(".cpp")
FLAGS = ("-std=c++17", "-O0", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared")


class Pins(ctypes.Structure):
    """``Pins`` of memory_probe.cpp."""

    _fields_ = tuple(
        [(name, c_uint64) for name in ("araddr", "awaddr", "rdata", "wdata")]
        + [
            (name, c_uint32)
            for name in (
                *("arid", "arlen", "arsize", "arburst", "arvalid", "arready"),
                *("rid", "rresp", "rlast", "rvalid", "rready"),
                *("awid", "awlen", "awsize", "awburst", "awvalid", "awready"),
                *("wstrb", "wlast", "wvalid", "wready", "bid", "bresp", "bvalid", "bready"),
            )
        ]
    )


def build_probe(folder: Path) -> ctypes.CDLL:
    """Compile the model with the probe around it."""
    library = folder / "memory_probe.so"
    command = ["g++", *FLAGS, f"-I{SOURCES}", str(SOURCE), "-o", str(library)]
    subprocess.run(command, check=True, timeout=120)
    probe = ctypes.CDLL(str(library))
    for name, (result, arguments) in {
        "create": (c_void_p, (POINTER(NativeDdr), POINTER(c_uint64))),
        "destroy": (None, (c_void_p,)),
        "bytes": (POINTER(c_uint8), (c_void_p, c_uint)),
        "reset": (None, (c_void_p,)),
        "stop": (None, (c_void_p, c_uint, c_uint64)),
        "drive": (None, (c_void_p, POINTER(Pins), c_uint64)),
        "sample": (None, (c_void_p, POINTER(Pins), c_uint64)),
        "violation": (c_char_p, (c_void_p,)),
        "violating_port": (c_uint, (c_void_p,)),
    }.items():
        function = getattr(probe, f"probe_{name}")
        function.restype, function.argtypes = result, arguments
    return probe


class MemoryProbe:
    """A memory of two ports of 64 bits, at :data:`BASES`.

    Attributes
    ----------
    content : uint8 ``[PORTS, bytes]``
    read, answered
        Of each port: ``(id, data, response, last)`` of beats read, ``(id, response)`` of bursts
        written, in the order in which they came.
    """

    def __init__(self, library: ctypes.CDLL, *, size: int = 8192, ddr: DdrConfig = DDR["ideal"]):
        self._library = library
        config = native_ddr(ddr, port_bytes=size, beat_bytes=BEAT_BYTES)
        self._memory = library.probe_create(config, (c_uint64 * PORTS)(*BASES))
        self._pins = (Pins * PORTS)()
        self.cycles = 0
        """Cycles so far."""
        self.content = [
            np.ctypeslib.as_array(library.probe_bytes(self._memory, port), (size,))
            for port in range(PORTS)
        ]
        self.read = [[] for _ in range(PORTS)]
        self.answered = [[] for _ in range(PORTS)]

    def close(self) -> None:
        self._library.probe_destroy(self._memory)

    def reset(self) -> None:
        self._library.probe_reset(self._memory)

    @property
    def violation(self) -> tuple[int, str] | None:
        """The port and the rule that was broken first."""
        rule = self._library.probe_violation(self._memory)
        return rule and (self._library.probe_violating_port(self._memory), rule.decode())

    def play(self, script, port: int = 0) -> None:
        """Let a manager play on a port, and take every answer at once."""
        manager = playing(script)
        offered = next(manager)
        while True:
            try:
                offered = manager.send(self.cycle(port, *offered))
            except StopIteration:
                return

    def play_reads(self, *requests, ahead: int = 1 << 20) -> list[list[int]]:
        """Read bursts on all ports at once; return the cycles in which each port's beats came.

        Parameters
        ----------
        requests
            For each port its bursts, of which one is offered after the other.
        ahead
            Most beats that a port has asked for before they have come on all ports.
        """
        left = [list(bursts) for bursts in requests]
        wanted = [sum(each.length + 1 for each in bursts) for bursts in requests]
        came = [[] for _ in requests]
        asked = [0] * len(left)
        for _ in range(20_000):
            if [len(cycles) for cycles in came] == wanted:
                return came
            self._library.probe_drive(self._memory, self._pins, self.cycles)
            most = min(map(len, came)) + ahead
            taken = []
            for port, bursts in enumerate(left):
                free = bursts and asked[port] + bursts[0].length < most
                taken.append(self._offer(port, {"ar": bursts[0]} if free else {}))
            for port, channels in enumerate(taken):
                if self._pins[port].rvalid:
                    came[port].append(self.cycles)
                if channels:
                    asked[port] += left[port].pop(0).length + 1
            self._library.probe_sample(self._memory, self._pins, self.cycles)
            self.cycles += 1
        raise AssertionError(f"of {wanted} beats came {[len(cycles) for cycles in came]}")

    def cycle(self, port: int, offers: dict, stalled: bool) -> set[str]:
        """Offer on a port for a cycle; returns the channels that were taken."""
        self._library.probe_stop(self._memory, port, 0 if stalled else NEVER)
        self._library.probe_drive(self._memory, self._pins, self.cycles)
        taken = self._offer(port, offers)
        self._library.probe_sample(self._memory, self._pins, self.cycles)
        self.cycles += 1
        return taken

    def _offer(self, port: int, offers: dict) -> set[str]:
        pins = self._pins[port]
        for channel in ("ar", "aw", "w"):
            setattr(pins, f"{channel}valid", channel in offers)
        for channel in ("ar", "aw"):
            if channel in offers:
                for name, value in zip(
                    ("addr", "len", "size", "burst", "id"), offers[channel], strict=True
                ):
                    first = BASES[port] if name == "addr" else 0
                    setattr(pins, f"{channel}{name}", first + value)
        if "w" in offers:
            pins.wdata, pins.wstrb, pins.wlast = offers["w"]
        pins.rready = pins.bready = 1
        if pins.rvalid:
            self.read[port].append((pins.rid, pins.rdata, pins.rresp, bool(pins.rlast)))
        if pins.bvalid:
            self.answered[port].append((pins.bid, pins.bresp))
        return {channel for channel in offers if getattr(pins, f"{channel}ready")}
