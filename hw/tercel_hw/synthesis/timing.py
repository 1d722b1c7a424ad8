"""Static timing analysis of joined blocks: arrivals, worst paths, fan-outs."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tercel.errors import TercelError
from tercel_hw.synthesis.arcs import Pin
from tercel_hw.synthesis.delays import DELAYS, Delays
from tercel_hw.synthesis.graph import FABRIC
from tercel_hw.synthesis.joined import Joined, Numbers

__all__ = ["BlockTiming", "FanOut", "Step", "Timing", "TimingPath", "analyse"]

UNREACHED = -(1 << 40)
"""Arrival of a net that no register and no port leads to."""
INDEX = re.compile(r"\[\d+\]|\.\d+(?=\.|$)|\d+$")
"""Numbers in names: paths that differ in them only are one."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """A net of a path and the cell behind it."""

    net_ps: int
    fan_out: int
    cell: str
    cell_ps: int


@dataclass(frozen=True, kw_only=True)
class TimingPath:
    """A path from a register or port to a register or port; times are picoseconds."""

    ps: int
    """From clock edge to clock edge, with the setup, without skew and uncertainty."""
    start: str
    start_ps: int
    steps: tuple[Step, ...]
    """The last one is the register at the end, with its setup."""

    @property
    def end(self) -> str:
        return self.steps[-1].cell

    @property
    def levels(self) -> int:
        """Lookup tables on the path."""
        return sum(step.cell.startswith(("LUT", "RAM", "INV")) for step in self.steps[:-1])


@dataclass(frozen=True, kw_only=True)
class FanOut:
    """A net with many loads."""

    name: str
    loads: int
    control: int
    """Loads that are clock enables, sets and resets of flip-flops."""


@dataclass(frozen=True, kw_only=True)
class BlockTiming:
    """The worst path that ends in a block."""

    block: str
    path: TimingPath
    late: int
    """Ends of paths in the block that are above the limit."""


@dataclass(frozen=True, kw_only=True)
class Timing:
    """The timing of a design."""

    limit_ps: int
    paths: tuple[TimingPath, ...]
    """The worst paths, one for each pair of start and end."""
    blocks: tuple[BlockTiming, ...]
    fan_outs: tuple[FanOut, ...]
    """The nets with most loads."""
    control_fan_outs: tuple[FanOut, ...]
    """Those with most clock enables, sets and resets."""
    control_sets: int


def analyse(
    design: Joined,
    *,
    limit_ps: int,
    ports: bool,
    count: int = 20,
    delays: Delays = DELAYS,
) -> Timing:
    """Analyse the timing of a design.

    Parameters
    ----------
    limit_ps
        Ends of longer paths are counted.
    ports
        True if the outer ports are those of the processing system; they are registers otherwise.
    count
        Number of paths.

    Raises
    ------
    TercelError
        If logic feeds itself.
    """
    return _Analysis(design, ports, delays).timing(limit_ps, count)


class _Analysis:
    def __init__(self, design: Joined, ports: bool, delays: Delays):
        self._design = design
        before = delays.port_output if ports else delays.register
        after = delays.port_setup if ports else delays.register_setup
        ends = [(net, name) for name, nets in design.outputs.items() for net in nets]
        self._port_of = {net: name for name, nets in design.inputs.items() for net in nets}
        self._end_ports = [name for _, name in ends]
        starts = np.fromiter(self._port_of, dtype=np.int64)
        self._loads = design.loads + np.bincount(
            np.array([net for net, _ in ends], dtype=np.int64), minlength=design.nets
        )
        self._single = (
            np.bincount(design.capture_net[design.capture_pin == Pin.DATA], minlength=design.nets)
            == 1
        )
        self._delays = delays
        self._routed = np.array(
            [delays.routed(n) for n in range(int(self._loads.max(initial=0)) + 1)]
        )
        self._launches = np.full(design.nets, UNREACHED, dtype=np.int64)
        np.maximum.at(self._launches, design.launch_net, design.launch_delay)
        self._launches[starts] = np.maximum(self._launches[starts], before)
        self._weights = self._net(design.arc_source, design.arc_pin) + design.arc_delay
        self._end_nets = np.concatenate([design.capture_net, [net for net, _ in ends]]).astype(
            np.int64
        )
        pins = np.concatenate([design.capture_pin, np.full(len(ends), Pin.ROUTED)])
        self._setups = np.concatenate([design.capture_setup, np.full(len(ends), after)]).astype(
            np.int64
        )
        self._end_net_ps = self._net(self._end_nets, pins)
        self._into = np.argsort(design.arc_target, kind="stable")
        self._into_first = np.searchsorted(
            design.arc_target[self._into], np.arange(design.nets + 1)
        )
        self._arrivals = self._arrive()

    def _net(self, nets: Numbers, pins: Numbers) -> Numbers:
        """Return the delay of nets to inputs of these kinds."""
        delays = self._delays
        fabric = self._design.driver[nets] == FABRIC
        found = self._routed[self._loads[nets]]
        found = np.where((pins == Pin.CARRY) & fabric, delays.carry_net, found)
        found = np.where((pins == Pin.DATA) & fabric & self._single[nets], delays.local_net, found)
        return np.where(pins == Pin.DIRECT, 0, found)

    def _arrive(self) -> Numbers:
        """Return the latest arrival at every net's driver, nets in the order of their levels."""
        design = self._design
        arrivals = self._launches.copy()
        missing = np.bincount(design.arc_target, minlength=design.nets)
        out = np.argsort(design.arc_source, kind="stable")
        first = np.searchsorted(design.arc_source[out], np.arange(design.nets + 1))
        front = np.flatnonzero(missing == 0)
        settled = len(front)
        while len(front):
            counts = first[front + 1] - first[front]
            offsets = np.repeat(first[front] - np.append(0, np.cumsum(counts)[:-1]), counts)
            arcs = out[offsets + np.arange(counts.sum())]
            targets = design.arc_target[arcs]
            np.maximum.at(
                arrivals, targets, arrivals[design.arc_source[arcs]] + self._weights[arcs]
            )
            np.subtract.at(missing, targets, 1)
            front = np.unique(targets[missing[targets] == 0])
            settled += len(front)
        if settled < design.nets:
            net = int(np.flatnonzero(missing > 0)[0])
            raise TercelError(f"logic feeds itself through {self._name(net)}")
        return arrivals

    def _name(self, net: int) -> str:
        design = self._design
        if name := self._port_of.get(net):
            return f"port {name}"
        launches = np.flatnonzero(design.launch_net == net)
        if len(launches):
            return design.cells[int(design.launch_cell[launches[0]])]
        if name := design.names.get(net):
            return name
        arcs = self._into[self._into_first[net] : self._into_first[net + 1]]
        return design.kinds[int(design.arc_kind[arcs[0]])] if len(arcs) else f"net {net}"

    def timing(self, limit: int, count: int) -> Timing:
        totals = self._arrivals[self._end_nets] + self._end_net_ps + self._setups
        order = np.argsort(-totals, kind="stable")
        order = order[totals[order] > 0]
        return Timing(
            limit_ps=limit,
            paths=tuple(self._distinct(order, count)),
            blocks=tuple(self._blocks(order, totals, limit)),
            fan_outs=self._fan_outs(self._loads),
            control_fan_outs=self._fan_outs(self._design.control),
            control_sets=self._design.control_sets,
        )

    def _distinct(self, order: Numbers, count: int) -> Iterator[TimingPath]:
        """Yield the worst path of each pair of start and end, without indices."""
        seen: set[tuple[str, str]] = set()
        ends: set[str] = set()
        for end in order:
            name = INDEX.sub("", self._end(int(end)))
            if name in ends:
                continue
            path = self._path(int(end))
            key = (INDEX.sub("", path.start), name)
            if key not in seen:
                seen.add(key)
                ends.add(name)
                yield path
            if len(seen) == count:
                return

    def _blocks(self, order: Numbers, totals: Numbers, limit: int) -> Iterator[BlockTiming]:
        design = self._design
        inner = order[order < len(design.capture_net)]
        blocks = design.cell_block[design.capture_cell[inner]]
        late = np.bincount(blocks[totals[inner] > limit], minlength=len(design.blocks))
        for number, first in zip(*np.unique(blocks, return_index=True), strict=True):
            yield BlockTiming(
                block=design.blocks[number],
                path=self._path(int(inner[first])),
                late=int(late[number]),
            )

    def _end(self, end: int) -> str:
        design = self._design
        inner = len(design.capture_net)
        if end < inner:
            return design.cells[int(design.capture_cell[end])]
        return f"port {self._end_ports[end - inner]}"

    def _path(self, end: int) -> TimingPath:
        design, net = self._design, int(self._end_nets[end])
        total = int(self._arrivals[net] + self._end_net_ps[end] + self._setups[end])
        steps = [
            Step(
                net_ps=int(self._end_net_ps[end]),
                fan_out=int(self._loads[net]),
                cell=self._end(end),
                cell_ps=int(self._setups[end]),
            )
        ]
        while self._arrivals[net] > self._launches[net]:
            arcs = self._into[self._into_first[net] : self._into_first[net + 1]]
            found = self._arrivals[design.arc_source[arcs]] + self._weights[arcs]
            arc = int(arcs[int(np.argmax(found))])
            source = int(design.arc_source[arc])
            cell = int(design.arc_delay[arc])
            steps.append(
                Step(
                    net_ps=int(self._weights[arc]) - cell,
                    fan_out=int(self._loads[source]),
                    cell=design.kinds[int(design.arc_kind[arc])],
                    cell_ps=cell,
                )
            )
            net = source
        return TimingPath(
            ps=total,
            start=self._name(net),
            start_ps=int(self._launches[net]),
            steps=tuple(steps[::-1]),
        )

    def _fan_outs(self, counts: Numbers, most: int = 10) -> tuple[FanOut, ...]:
        order = np.argsort(-counts, kind="stable")[:most]
        return tuple(
            FanOut(
                name=self._name(int(net)),
                loads=int(self._loads[net]),
                control=int(self._design.control[net]),
            )
            for net in order
            if counts[net]
        )
