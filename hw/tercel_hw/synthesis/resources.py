"""The count of the resources that a netlist takes."""

import dataclasses
from collections import Counter
from dataclasses import dataclass

from tercel_hw.synthesis.netlist import CARRIES, LUT_MEMORIES, Cell, Netlist, is_lut

__all__ = ["Resources", "count_resources"]

FLIP_FLOPS = ("FDRE", "FDSE", "FDCE", "FDPE", "LDCE", "LDPE")
BLOCK_RAMS = {"RAMB36E1": 1.0, "RAMB36E2": 1.0, "RAMB18E1": 0.5, "RAMB18E2": 0.5}
MULTIPLIERS = ("DSP48E1", "DSP48E2")
SHARED_INPUTS = 5
"""Most inputs of two functions in one lookup table of two outputs."""


@dataclass(frozen=True, kw_only=True)
class Resources:
    """Numbers of resources of a block, of a design or of a device."""

    lut: int = 0
    """Lookup tables, including those used as memory."""
    lut_memory: int = 0
    """Lookup tables used as memory."""
    ff: int = 0
    dsp: int = 0
    bram36: float = 0
    """Block RAMs of 36 Kbit; one of 18 Kbit counts as a half."""
    uram: int = 0

    def __add__(self, other: "Resources") -> "Resources":
        return Resources(
            **{
                field.name: getattr(self, field.name) + getattr(other, field.name)
                for field in dataclasses.fields(self)
            }
        )


def count_resources(netlist: Netlist) -> Resources:
    """Count the resources of a netlist.

    A carry bit takes two functions, of which the second is an input of the chain. Its table lies in
    the same LUT6 as the table of the first, and is not counted, if the two have 5 inputs together
    at most and it feeds nothing but carry chains and their tables. Two tables with the same HLUTNM
    lie in one LUT6 in any case.
    """
    kinds = Counter(cell.kind for cell in netlist.cells)
    logic = sum(count for kind, count in kinds.items() if is_lut(kind))
    memory = sum(count * LUT_MEMORIES.get(kind, 0) for kind, count in kinds.items())
    return Resources(
        lut=logic + memory - _paired(netlist) - _shared(netlist),
        lut_memory=memory,
        ff=sum(kinds[kind] for kind in FLIP_FLOPS),
        dsp=sum(kinds[kind] for kind in MULTIPLIERS),
        bram36=sum(kinds[kind] * share for kind, share in BLOCK_RAMS.items()),
        uram=kinds["URAM288"],
    )


def _paired(netlist: Netlist) -> int:
    """Count the tables that share a LUT6 by their HLUTNM."""
    pairs = [cell.pair for cell in netlist.cells if cell.pair and is_lut(cell.kind)]
    return len(pairs) - len(set(pairs))


def _shared(netlist: Netlist) -> int:
    """Count the tables of second inputs of carry bits that share the LUT6 of the first."""
    bits = [
        (second, first_table, second_table)
        for carry in netlist.cells
        if carry.kind in CARRIES
        for first, second in zip(carry.inputs["S"], carry.inputs["DI"], strict=True)
        if isinstance(second, int)
        if (first_table := _table(netlist, first)) and (second_table := _table(netlist, second))
    ]
    firsts = {first.name for _, first, _ in bits}
    shared = set()
    for bit, first, second in bits:
        inputs = _inputs(first) - {bit} | _inputs(second)
        loads = [cell for cell, _, _ in netlist.loads[bit]]
        alone = all(cell.kind in CARRIES or cell.name in firsts for cell in loads)
        if alone and first.name != second.name and len(inputs) <= SHARED_INPUTS:
            shared.add(second.name)
    return len(shared)


def _table(netlist: Netlist, bit: int | str) -> Cell | None:
    driver = netlist.driver.get(bit) if isinstance(bit, int) else None
    return driver[0] if driver and is_lut(driver[0].kind) and not driver[0].pair else None


def _inputs(table: Cell) -> set[int]:
    return {bit for bits in table.inputs.values() for bit in bits if isinstance(bit, int)}
