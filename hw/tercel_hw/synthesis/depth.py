"""Logic depth of a block on its own: levels of lookup tables between registers."""

from dataclasses import dataclass

from tercel.errors import TercelError
from tercel_hw.synthesis.netlist import LUT_MEMORIES, Cell, Netlist, is_lut

__all__ = ["Depth", "measure_depth"]


@dataclass(frozen=True, kw_only=True)
class Depth:
    """The deepest paths of a block; a carry chain or a wide multiplexer adds no level."""

    levels: int
    """Most levels from any register or input to any register or output."""
    through: int
    """Most levels from an input to an output without a register; 0 without such a path."""
    start: str
    """Start of the deepest path: a cell or a port."""
    path: tuple[str, ...]
    """Kinds of the cells on the deepest path."""
    end: str


def measure_depth(netlist: Netlist) -> Depth:
    """Measure the depth of a netlist.

    Raises
    ------
    TercelError
        If there is a combinational loop.
    """
    starts = {
        bit: f"port {name}"
        for name, bits in netlist.inputs.items()
        for bit in bits
        if isinstance(bit, int)
    }
    outputs = [
        (bit, f"port {name}")
        for name, bits in netlist.outputs.items()
        for bit in bits
        if isinstance(bit, int)
    ]
    ends = [(bit, _described(cell)) for cell in netlist.cells for bit in cell.ends()]
    if not (ends := ends + outputs):
        return Depth(levels=0, through=0, start="nothing", path=(), end="nothing")
    anywhere = _Levels(netlist, {}, 0)
    bit, end = max(ends, key=lambda place: anywhere.of(place[0]))
    first, cells = anywhere.path(bit)
    driver = netlist.driver.get(first)
    inwards = _Levels(netlist, dict.fromkeys(starts, 0), UNREACHED)
    return Depth(
        levels=anywhere.of(bit),
        through=max([0, *(inwards.of(bit) for bit, _ in outputs)]),
        start=_described(driver[0]) if driver else starts.get(first, "a constant"),
        path=tuple(cell.kind for cell in cells),
        end=end,
    )


def _described(cell: Cell) -> str:
    """Describe a cell by its kind, and a register by the signal that it holds."""
    return f"{cell.kind} {cell.name.partition(KIND)[0] or cell.name}"


UNREACHED = -1
"""Levels of a bit that no path leads to."""
KIND = "\\FD"
"""Start of the suffix that Yosys appends to the name of a register."""


class _Levels:
    """Levels of logic before each bit.

    Parameters
    ----------
    starts
        Bits with known levels.
    others
        Levels of all other bits that come from registers or ports.
    """

    def __init__(self, netlist: Netlist, starts: dict[int, int], others: int):
        self._netlist = netlist
        self._levels = dict(starts)
        self._others = others
        self._before: dict[int, int | None] = {}

    def of(self, bit: int) -> int:
        """Return the levels before a bit; -1 if no path leads to it."""
        waiting, open_bits = [bit], set()
        while waiting:
            now = waiting[-1]
            sources = self._sources(now)
            missing = [source for source in sources or () if source not in self._levels]
            if now in self._levels or sources is None:
                self._levels.setdefault(now, self._others)
                waiting.pop()
            elif missing:
                if now in open_bits:
                    raise TercelError(
                        f"logic feeds itself through {_described(self._netlist.driver[now][0])}"
                    )
                open_bits.add(now)
                waiting += missing
            else:
                self._settle(now, sources)
                waiting.pop()
        return self._levels[bit]

    def path(self, bit: int) -> tuple[int, list[Cell]]:
        """Return the first bit of the deepest path to a bit, and the cells on the path."""
        cells = []
        while (before := self._before.get(bit)) is not None:
            cells.append(self._netlist.driver[bit][0])
            bit = before
        return bit, cells[::-1]

    def _sources(self, bit: int) -> list[int] | None:
        driver = self._netlist.driver.get(bit)
        return None if driver is None else driver[0].sources(*driver[1:])

    def _settle(self, bit: int, sources: list[int]) -> None:
        kind = self._netlist.driver[bit][0].kind
        best = max(sources, key=self._levels.__getitem__, default=None)
        before = self._others if best is None else self._levels[best]
        adds = is_lut(kind) or kind in LUT_MEMORIES
        self._levels[bit] = before + adds if before != UNREACHED else UNREACHED
        self._before[bit] = best
