"""The schedule of a controller with banks that serves one stream of words on all its ports."""

from collections import deque
from dataclasses import dataclass, field
from functools import lru_cache

from tercel_sim.banks import BankConfig
from tercel_sim.ddr import BankedDdrConfig

__all__ = ["StripedStream", "word_cycles"]


ROUNDS = 2
REGION = 1 << 10
"""Spans between the regions of two ports: more than a schedule reads."""


@dataclass(frozen=True, kw_only=True)
class StripedStream:
    """A stream that every port reads from its own base, in step with the others."""

    ports: int
    port_bytes: int
    """Bytes of a beat."""
    burst_beats: int
    ahead_beats: int
    """Most beats that a port has asked for before all ports have delivered theirs."""
    path_cycles: int = 0
    """Cycles from a word's last beat at its port until beats can be asked for in its place."""


@dataclass
class _Port:
    """State of an AXI port; counts are of beats, of accesses where it says so."""

    address: int
    lag: int
    asked: int = 0
    due: deque[int] = field(default_factory=deque)
    """Cycles from which the bursts that are not wholly admitted may be."""
    admitted: int = 0
    fetched: int = 0
    sent: int = 0
    credit: float = 0.0
    served: set[int] = field(default_factory=set)
    """First beats of accesses served before an earlier one."""


class _Banks:
    """Rows of the banks, as in ``cpp/banks.h``; an access is ``(bank, row, port, beat)``."""

    def __init__(self, config: BankConfig):
        self._config = config
        self.close()

    def close(self) -> None:
        self._row = [-1] * self._config.banks
        self._ready = [0] * self._config.banks
        self._served = [0] * self._config.banks

    def place(self, address: int) -> tuple[int, int]:
        rows = address // self._config.row_bytes
        return rows % self._config.banks, rows // self._config.banks

    def open(self, waiting: list, cycle: int) -> None:
        config = self._config
        for bank, row, _, _ in waiting:
            current = self._row[bank]
            if current == row or cycle < self._ready[bank]:
                continue
            if self._served[bank] < config.batch and any(
                other[0] == bank and other[1] == current for other in waiting
            ):
                continue
            cost = config.open_cycles if current < 0 else config.change_cycles
            self._ready[bank], self._row[bank], self._served[bank] = cycle + cost, row, 0

    def serve(self, waiting: list, cycle: int) -> int | None:
        for index, (bank, row, _, _) in enumerate(waiting):
            if self._row[bank] == row and cycle >= self._ready[bank]:
                self._served[bank] += 1
                return index
        return None


class _Controller:
    """Cycles of reads, as ``cpp/ddr.h`` counts them."""

    def __init__(self, ddr: BankedDdrConfig, stream: StripedStream):
        self._ddr, self._config, self._stream = ddr, ddr.banks, stream
        self._banks = _Banks(ddr.banks)
        self._beats = ddr.banks.access_bytes // stream.port_bytes
        span, stagger = ddr.banks.span, ddr.banks.stagger
        # Regions are far apart: their rows never meet.
        self._ports = [
            _Port(address=(REGION * span + stagger) * index, lag=ddr.banks.lag(index))
            for index in range(stream.ports)
        ]
        count = len(self._ports)
        self._sharing = [
            [port for port in range(count) if ddr.banks.controller_port(port) == each]
            for each in range(count)
        ]
        self._owners: list[int | None] = [None] * count
        self._last = [0] * count
        self._next = 0
        self._waiting: list[tuple[int, int, int, int]] = []
        self._credit = 0.0
        self._whole = deque([0] * (stream.path_cycles + 1))
        """Whole words that had come, in the last cycles."""

    def run(self, beats: int) -> list[int]:
        """Read so many beats on every port; return the cycles at which whole bursts are there."""
        size, ends, cycle, ddr = self._stream.burst_beats, [], 0, self._ddr
        while len(ends) * size < beats:
            self._ask(beats, cycle)
            interval = ddr.refresh_interval
            if interval and cycle % interval >= interval - ddr.refresh_cycles:
                self._banks.close()
            else:
                self._fill(cycle)
                self._move(cycle)
            self._send()
            cycle += 1
            while self._whole[-1] >= (len(ends) + 1) * size:
                ends.append(cycle)
        return ends

    def _ask(self, beats: int, cycle: int) -> None:
        size = self._stream.burst_beats
        left = self._whole[0]
        for port in self._ports:
            if port.asked < beats and port.asked + size <= left + self._stream.ahead_beats:
                port.asked += size
                port.due.append(cycle + self._ddr.read_latency + port.lag)

    def _fill(self, cycle: int) -> None:
        idle = 0
        while idle < len(self._ports) and len(self._waiting) < self._config.window:
            idle = 0 if self._admit(self._next, cycle) else idle + 1
            self._next = (self._next + 1) % len(self._ports)

    def _admissible(self, port: _Port, cycle: int) -> bool:
        room = port.admitted + self._beats <= port.sent + self._ddr.read_ahead
        return bool(port.due) and port.due[0] <= cycle and room

    def _admit(self, index: int, cycle: int) -> bool:
        if self._owners[index] is None:
            count = len(self._ports)
            order = sorted(self._sharing[index], key=lambda p: (p - self._last[index] - 1) % count)
            for each in order:
                if self._admissible(self._ports[each], cycle):
                    self._owners[index] = self._last[index] = each
                    break
        owner = self._owners[index]
        if owner is None or not self._admissible(self._ports[owner], cycle):
            return False
        port = self._ports[owner]
        address = port.address + port.admitted * self._stream.port_bytes
        self._waiting.append((*self._banks.place(address), owner, port.admitted))
        port.admitted += self._beats
        if port.admitted % self._stream.burst_beats == 0:
            port.due.popleft()
            self._owners[index] = None
        return True

    def _move(self, cycle: int) -> None:
        rate, size = self._ddr.bytes_per_cycle, self._config.access_bytes
        self._credit = min(self._credit + rate, rate + size)
        while self._credit >= size:
            self._banks.open(self._waiting, cycle)
            index = self._banks.serve(self._waiting, cycle)
            if index is None:
                return
            _, _, owner, beat = self._waiting.pop(index)
            port = self._ports[owner]
            port.served.add(beat)
            while port.fetched in port.served:
                port.served.remove(port.fetched)
                port.fetched += self._beats
            self._credit -= size

    def _send(self) -> None:
        rate = self._ddr.port_rate * (1 - self._ddr.pause)
        for port in self._ports:
            port.credit = min(port.credit + rate, rate + 1.0)
            if port.credit >= 1.0 and port.sent < port.fetched:
                port.credit -= 1.0
                port.sent += 1
        self._whole.popleft()
        self._whole.append(min(port.sent for port in self._ports))


@lru_cache(maxsize=64)
def word_cycles(ddr: BankedDdrConfig, stream: StripedStream) -> float:
    """Return the cycles of a word of a long stream.

    Raises
    ------
    ValueError
        If a burst is shorter than an access.
    """
    size = stream.burst_beats * stream.port_bytes
    if size % ddr.banks.access_bytes:
        raise ValueError(f"bursts of {size} bytes are no accesses of {ddr.banks.access_bytes}")
    count = max(1, ddr.banks.span // size)
    # Rounds through all banks, after a first one.
    ends = _Controller(ddr, stream).run((1 + ROUNDS) * count * stream.burst_beats)
    return (ends[-1] - ends[count - 1]) / (ROUNDS * count * stream.burst_beats)
