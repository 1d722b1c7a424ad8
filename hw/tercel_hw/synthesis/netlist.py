"""The flat netlist of UltraScale+ cells that Yosys writes."""

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from tercel.errors import TercelError

__all__ = ["CARRIES", "LUT_MEMORIES", "MUXES", "Cell", "Netlist", "is_lut"]

CARRIES = ("CARRY4", "CARRY8")
MUXES = ("MUXF7", "MUXF8", "MUXF9")
LUT_MEMORIES = {
    "RAM32X1S": 1,
    "RAM64X1S": 1,
    "RAM128X1S": 2,
    "RAM256X1S": 4,
    "RAM512X1S": 8,
    "RAM32X1D": 2,
    "RAM64X1D": 2,
    "RAM128X1D": 4,
    "RAM256X1D": 8,
    "RAM32M": 4,
    "RAM64M": 4,
    "RAM32M16": 8,
    "RAM64M8": 8,
    "SRL16E": 1,
    "SRLC16E": 1,
    "SRLC32E": 1,
}
"""Lookup tables of each distributed memory primitive."""
READ_ADDRESS = re.compile(r"(?:ADDR(?P<letter>[A-H])|DPRA\d?|A\d?)$")
LUT = re.compile(r"(LUT[1-6]|INV)$")
CLOCKS = ("CLK", "WCLK", "CLKARDCLK", "CLKBWRCLK")


def is_lut(kind: str) -> bool:
    """Return True if a cell is a lookup table used as logic."""
    return LUT.match(kind) is not None


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A cell of the vendor's library."""

    name: str
    kind: str
    pair: str | None
    """Name shared by two functions in one lookup table (HLUTNM), or None."""
    inputs: dict[str, tuple[int | str, ...]]
    """Bits of each input; a constant is ``"0"``, ``"1"`` or ``"x"``."""
    outputs: dict[str, tuple[int | str, ...]]
    parameters: dict[str, str] = field(default_factory=dict)
    """Parameters of memories and multipliers, as Yosys writes them."""

    def clocked_by(self, name: str) -> bool:
        """Return True if an input is the cell's clock; C is one of flip-flops only."""
        return name in CLOCKS or (name == "C" and self.kind.startswith("FD"))

    def sources(self, port: str, index: int) -> list[int] | None:
        """Return the bits that an output bit depends on combinationally; None for a register.

        Multipliers and block memories count as registers: the tools move registers into them.
        """
        if is_lut(self.kind) or self.kind in MUXES:
            ports = self.inputs.values()
        elif self.kind in CARRIES:
            ports = [
                bits[: index + 1] if name in ("S", "DI") else bits
                for name, bits in self.inputs.items()
            ]
        elif self.kind in LUT_MEMORIES:
            ports = [bits for name, bits in self.inputs.items() if self.reads(name, port)]
        else:
            return None
        return [bit for bits in ports for bit in bits if isinstance(bit, int)]

    def reads(self, name: str, output: str) -> bool:
        """Return True if an input is the address of an output's read port."""
        match = READ_ADDRESS.match(name)
        if not match:
            return False
        if letter := match["letter"]:
            return output == f"DO{letter}"
        return name.startswith("DPRA") == output.startswith("DP")

    def ends(self) -> list[int]:
        """Input bits at which combinational paths end, without clocks."""
        passed = {
            bit
            for name, bits in self.outputs.items()
            for index in range(len(bits))
            for bit in self.sources(name, index) or ()
        }
        return [
            bit
            for name, bits in self.inputs.items()
            if not self.clocked_by(name)
            for bit in bits
            if isinstance(bit, int) and bit not in passed
        ]


class Netlist:
    """Cells and ports of a synthesised block.

    Parameters
    ----------
    contents
        Object that Yosys' ``write_json`` wrote.
    top
        The block's module.

    Raises
    ------
    TercelError
        If there is no module ``top``.
    """

    def __init__(self, contents: dict[str, Any], *, top: str):
        try:
            module = contents["modules"][top]
        except KeyError:
            raise TercelError(f"the netlist has no module {top!r}") from None
        self.cells = [_cell(name, cell) for name, cell in module["cells"].items()]
        self.inputs = self._ports(module, "input")
        self.outputs = self._ports(module, "output")
        self.driver: dict[int, tuple[Cell, str, int]] = {}
        self.loads: dict[int, list[tuple[Cell, str, int]]] = defaultdict(list)
        for cell in self.cells:
            for ports, note in ((cell.outputs, self._drive), (cell.inputs, self._load)):
                for port, bits in ports.items():
                    for index, bit in enumerate(bits):
                        if isinstance(bit, int):
                            note(bit, (cell, port, index))

    def _drive(self, bit: int, place: tuple[Cell, str, int]) -> None:
        self.driver[bit] = place

    def _load(self, bit: int, place: tuple[Cell, str, int]) -> None:
        self.loads[bit].append(place)

    @staticmethod
    def _ports(module: dict[str, Any], direction: str) -> dict[str, tuple[int | str, ...]]:
        return {
            name: tuple(port["bits"])
            for name, port in module["ports"].items()
            if port["direction"] == direction
        }


def _cell(name: str, cell: dict[str, Any]) -> Cell:
    directions = cell.get("port_directions", {})
    ports: dict[str, dict[str, tuple[int | str, ...]]] = {"input": {}, "output": {}}
    for port, bits in cell["connections"].items():
        if (direction := directions.get(port)) in ports:
            ports[direction][port] = tuple(bits)
    return Cell(
        name=name,
        kind=cell["type"],
        pair=_pair(name, cell),
        inputs=ports["input"],
        outputs=ports["output"],
        parameters=cell.get("parameters", {}),
    )


def _pair(name: str, cell: dict[str, Any]) -> str | None:
    """Return HLUTNM, qualified by the module's path, which flattening made a part of the name."""
    pair = cell.get("attributes", {}).get("HLUTNM")
    return pair and name.rpartition(".")[0] + "." + pair
