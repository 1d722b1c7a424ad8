"""The timing graphs of a design's blocks, joined at their ports."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tercel_hw.synthesis.graph import ARC, CAPTURE, CONSTANT, LAUNCH, Graph

__all__ = ["Joined", "join"]

Numbers = NDArray[np.int64]
NOTHING = np.zeros(0, dtype=np.int64)
QUIET = ("clk", "rst")
"""Inputs of a design that are not the ports of other logic."""


@dataclass(frozen=True, kw_only=True)
class Joined:
    """One graph of all blocks; fields as those of :class:`Graph`, nets of the whole design.

    Nets at which blocks meet are one net.
    """

    nets: int
    arc_source: Numbers
    arc_target: Numbers
    arc_pin: Numbers
    arc_delay: Numbers
    arc_kind: Numbers
    launch_net: Numbers
    launch_delay: Numbers
    launch_cell: Numbers
    capture_net: Numbers
    capture_pin: Numbers
    capture_setup: Numbers
    capture_cell: Numbers
    driver: Numbers
    loads: Numbers
    control: Numbers
    kinds: list[str]
    cells: list[str]
    """Kind, path and name of each cell with registers."""
    cell_block: Numbers
    """Index into `blocks` of each cell."""
    blocks: list[str]
    names: dict[int, str]
    """Descriptions of nets: ports and tables."""
    inputs: dict[str, list[int]]
    """Nets that no block drives, by name."""
    outputs: dict[str, list[int]]
    """Nets of outputs that no block reads, by name."""
    control_sets: int
    """Pairs of enable and set or reset that flip-flops have."""


def join(graphs: Mapping[str, tuple[str, Graph]]) -> Joined:
    """Join the graphs of blocks, given by module: name of the block, and graph.

    Ports whose other side is not among the blocks are inputs and outputs of the result.
    """
    offsets, total = {}, 0
    for module, (_, graph) in graphs.items():
        offsets[module] = total
        total += graph.nets
    parents = _Parents(total)
    met: set[tuple[str, str]] = set()
    for module, (_, graph) in graphs.items():
        for child, ports in graph.blocks.items():
            if child not in graphs:
                continue
            inner = graphs[child][1]
            for port, outside in ports.items():
                inside = inner.inputs.get(port) or inner.outputs.get(port) or []
                met.add((child, port))
                for one, other in zip(outside, inside, strict=False):
                    if CONSTANT not in (one, other):
                        parents.unite(offsets[module] + one, offsets[child] + other)
    return _build(graphs, offsets, parents.roots(), met)


class _Parents:
    """Nets that are one net."""

    def __init__(self, count: int):
        self._parents = list(range(count))

    def unite(self, one: int, other: int) -> None:
        self._parents[self._root(other)] = self._root(one)

    def _root(self, net: int) -> int:
        while self._parents[net] != net:
            self._parents[net] = self._parents[self._parents[net]]
            net = self._parents[net]
        return net

    def roots(self) -> Numbers:
        return np.array([self._root(net) for net in range(len(self._parents))], dtype=np.int64)


def _build(
    graphs: Mapping[str, tuple[str, Graph]],
    offsets: Mapping[str, int],
    roots: Numbers,
    met: set[tuple[str, str]],
) -> Joined:
    columns: dict[str, list[Numbers]] = {name: [] for name in (*ARC, *LAUNCH, *CAPTURE)}
    kinds: dict[str, int] = {}
    cells: list[str] = []
    cell_block: list[int] = []
    names: dict[int, str] = {}
    sets: set[tuple[int, int]] = set()
    driver, loads, control = (np.zeros(len(roots), dtype=np.int64) for _ in range(3))
    sides: tuple[dict[str, list[int]], dict[str, list[int]]] = ({}, {})
    for number, (module, (block, graph)) in enumerate(graphs.items()):
        whole = np.append(roots[offsets[module] : offsets[module] + graph.nets], CONSTANT)
        places = np.array([kinds.setdefault(kind, len(kinds)) for kind in graph.kinds] or [0])
        for name, found in columns.items():
            column = np.array(getattr(graph, name), dtype=np.int64)
            if name.endswith(("_source", "_target", "_net")):
                column = whole[column]
            elif name == "arc_kind":
                column = places[column]
            elif name.endswith("_cell"):
                column = column + len(cells)
            found.append(column)
        path = block.removesuffix("*").removesuffix(".")
        for cell in graph.cells:
            kind, _, name = cell.partition(" ")
            cells.append(f"{kind} {path}.{name}" if path else cell)
        cell_block += [number] * len(graph.cells)
        np.maximum.at(driver, whole[:-1], graph.driver)
        np.add.at(loads, whole[:-1], graph.loads)
        np.add.at(control, whole[:-1], graph.control)
        for net, name in graph.names.items():
            names.setdefault(int(whole[net]), f"{name} in {block}")
        for ports, side in zip((graph.inputs, graph.outputs), sides, strict=True):
            for port, nets in ports.items():
                label = f"{path}.{port}" if path else port
                for net in nets:
                    if net != CONSTANT:
                        names[int(whole[net])] = f"port {label}"
                if (module, port) not in met:
                    side[label] = [int(whole[net]) for net in nets if net != CONSTANT]
        sets |= {(int(whole[on]), int(whole[reset])) for on, reset, _ in graph.control_sets}
    return Joined(
        nets=len(roots),
        **{
            name: np.concatenate([*found, np.zeros(0, np.int64)]) for name, found in columns.items()
        },
        driver=driver,
        loads=loads,
        control=control,
        kinds=list(kinds),
        cells=cells,
        cell_block=np.array(cell_block, dtype=np.int64),
        blocks=[block for block, _ in graphs.values()],
        names=names,
        inputs={name: nets for name, nets in sides[0].items() if name.split(".")[-1] not in QUIET},
        outputs=sides[1],
        control_sets=len(sets),
    )
