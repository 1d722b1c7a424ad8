"""The timing graph of one block: what remains of its netlist for the analysis of the design."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tercel_hw.synthesis.arcs import arcs, is_fabric
from tercel_hw.synthesis.netlist import CARRIES, Cell, Netlist

__all__ = ["FABRIC", "OTHER", "Graph", "make_graph"]

CONSTANT = -1
"""Net of a constant."""
FABRIC, OTHER = 1, 2
"""Kinds of drivers: logic of a slice; registers, memories and multipliers."""
FLIP_FLOPS = re.compile("FD|LD")
RENAMED = re.compile(r"\\(FD|LD)\w*$")
"""Suffix that Yosys appends to the name of a register."""
SOURCES = 3
"""Most names of inputs in the description of a table."""


@dataclass(frozen=True, kw_only=True)
class Graph:
    """Nets are numbers from 0; delays are picoseconds; all lists of a group are parallel."""

    nets: int
    arc_source: list[int]
    arc_target: list[int]
    arc_pin: list[int]
    """A :class:`Pin`."""
    arc_delay: list[int]
    arc_kind: list[int]
    """Index into `kinds` of the cell that an arc leads through."""
    launch_net: list[int]
    launch_delay: list[int]
    launch_cell: list[int]
    """Index into `cells`."""
    capture_net: list[int]
    capture_pin: list[int]
    capture_setup: list[int]
    capture_cell: list[int]
    driver: list[int]
    """Kind of each net's driver: 0 without one in this block, `FABRIC` or `OTHER`."""
    loads: list[int]
    """Number of inputs of this block's cells that each net feeds."""
    control: list[int]
    """Those of them that are clock enables, sets or resets of flip-flops."""
    kinds: list[str]
    cells: list[str]
    """Kind and name of each cell with registers."""
    names: dict[int, str]
    """Descriptions of nets that many cells read and that are no registers' outputs."""
    inputs: dict[str, list[int]]
    outputs: dict[str, list[int]]
    blocks: dict[str, dict[str, list[int]]]
    """Nets at the ports of other blocks, by module and port."""
    control_sets: list[tuple[int, int, int]]
    """Enable, set or reset, and number of flip-flops; nets."""

    @classmethod
    def parse(cls, contents: dict[str, Any]) -> "Graph":
        """Return a graph from its fields, of which JSON changed some types."""
        changed = {
            "names": {int(net): name for net, name in contents["names"].items()},
            "control_sets": [tuple(found) for found in contents["control_sets"]],
        }
        return cls(**contents | changed)


MANY = 32
"""Least loads of a net that has a description."""


def make_graph(netlist: Netlist) -> Graph:
    """Make the timing graph of a block's netlist; cells of unknown kinds are other blocks."""
    maker = _Maker()
    ports = (netlist.inputs, netlist.outputs)
    inputs, outputs = ({name: maker.nets(bits) for name, bits in names.items()} for names in ports)
    blocks = {}
    for cell in netlist.cells:
        if "." in cell.kind:
            both = cell.inputs | cell.outputs
            blocks[cell.kind] = {name: maker.nets(bits) for name, bits in both.items()}
        else:
            maker.add(cell)
    return maker.graph(netlist, inputs=inputs, outputs=outputs, blocks=blocks)


class _Maker:
    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}
        self._arcs: list[tuple[int, int, int, int, int]] = []
        self._launches: list[tuple[int, int, int]] = []
        self._captures: list[tuple[int, int, int, int]] = []
        self._kinds: dict[str, int] = {}
        self._cells: list[str] = []
        self._drivers: dict[int, int] = {}
        self._sets: Counter[tuple[int, int]] = Counter()

    def nets(self, bits: Iterable[int | str]) -> list[int]:
        return [self._net(bit) for bit in bits]

    def _net(self, bit: int | str) -> int:
        if isinstance(bit, str):
            return CONSTANT
        return self._numbers.setdefault(bit, len(self._numbers))

    def add(self, cell: Cell) -> None:
        found = arcs(cell)
        kind = self._kinds.setdefault(cell.kind, len(self._kinds))
        for source, target, pin, delay in found.through:
            self._arcs.append((self._net(source), self._net(target), pin, delay, kind))
        for bits in cell.outputs.values():
            for net in self.nets(bits):
                self._drivers[net] = FABRIC if is_fabric(cell.kind) else OTHER
        if FLIP_FLOPS.match(cell.kind):
            pins = [self.nets(cell.inputs.get(name, ())) for name in ("CE", "R", "S")]
            enable, reset, preset = (pin[0] if pin else CONSTANT for pin in pins)
            self._sets[enable, max(reset, preset)] += 1
        if not (found.launches or found.captures):
            return
        index = len(self._cells)
        self._cells.append(f"{cell.kind} {readable(cell.name)}")
        self._launches += [(self._net(bit), delay, index) for bit, delay in found.launches]
        self._captures += [
            (self._net(bit), pin, setup, index) for bit, pin, setup in found.captures
        ]

    def graph(
        self,
        netlist: Netlist,
        *,
        inputs: dict[str, list[int]],
        outputs: dict[str, list[int]],
        blocks: dict[str, dict[str, list[int]]],
    ) -> Graph:
        count = len(self._numbers)
        loads, control, names = [0] * count, [0] * count, {}
        for bit, places in netlist.loads.items():
            own = [(cell, port) for cell, port, _ in places if _loads(cell, port)]
            net = self._net(bit)
            loads[net] = len(own)
            control[net] = sum(
                port in ("CE", "R", "S") and FLIP_FLOPS.match(cell.kind) is not None
                for cell, port in own
            )
            driver = netlist.driver.get(bit)
            if driver and loads[net] >= MANY and is_fabric(driver[0].kind):
                names[net] = _described(netlist, driver[0])
        arcs_, launches, captures = (
            [list(column) for column in zip(*rows, strict=True)] or [[]] * width
            for rows, width in ((self._arcs, 5), (self._launches, 3), (self._captures, 4))
        )
        return Graph(
            nets=count,
            **dict(zip(ARC, arcs_, strict=True)),
            **dict(zip(LAUNCH, launches, strict=True)),
            **dict(zip(CAPTURE, captures, strict=True)),
            driver=[self._drivers.get(net, 0) for net in range(count)],
            loads=loads,
            control=control,
            kinds=list(self._kinds),
            cells=self._cells,
            names=names,
            inputs=inputs,
            outputs=outputs,
            blocks=blocks,
            control_sets=[(*nets, number) for nets, number in self._sets.items()],
        )


ARC = ("arc_source", "arc_target", "arc_pin", "arc_delay", "arc_kind")
LAUNCH = ("launch_net", "launch_delay", "launch_cell")
CAPTURE = ("capture_net", "capture_pin", "capture_setup", "capture_cell")


def _loads(cell: Cell, port: str) -> bool:
    """Return True if an input loads a net: clocks have nets of their own, carries share one."""
    wired = cell.kind in CARRIES and port == "CI"
    return not ("." in cell.kind or cell.clocked_by(port) or wired)


def readable(name: str) -> str:
    """Return the signal's name in the name of a cell."""
    return RENAMED.sub("", name).replace("\\", "") or name


def _described(netlist: Netlist, cell: Cell) -> str:
    """Describe a table by the registers and ports that it reads."""
    found = []
    for bits in cell.inputs.values():
        for bit in bits:
            if isinstance(bit, int):
                driver = netlist.driver.get(bit)
                if driver is None:
                    found += [name for name, nets in netlist.inputs.items() if bit in nets]
                elif not is_fabric(driver[0].kind):
                    found.append(readable(driver[0].name))
    shown = sorted(set(found))[:SOURCES]
    return f"{cell.kind} of {', '.join(shown)}" if shown else cell.kind
