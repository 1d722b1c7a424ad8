"""Timing arcs of a cell: through it, from its registers, to its registers."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from tercel_hw.synthesis.delays import DELAYS, Delays
from tercel_hw.synthesis.netlist import CARRIES, LUT_MEMORIES, MUXES, Cell, is_lut

__all__ = ["Arcs", "Pin", "arcs", "is_fabric"]

CARRY_INPUTS = ("CI", "CYINIT", "CI_TOP")
ENABLES_AND_RESETS = ("CE", "R", "S", "CLR", "PRE")
CASCADES = ("PCIN", "ACIN", "BCIN", "CARRYCASCIN", "MULTSIGNIN")
MULTIPLIED = {"A": "AREG", "ACIN": "AREG", "B": "BREG", "BCIN": "BREG", "D": "DREG"}
ADDED = {
    "C": "CREG",
    "OPMODE": "OPMODEREG",
    "ALUMODE": "ALUMODEREG",
    "CARRYIN": "CARRYINREG",
    "CARRYINSEL": "CARRYINSELREG",
    "INMODE": "INMODEREG",
}
"""Registers of the inputs of a DSP48E2, before its multiplier and before its adder."""


class Pin(IntEnum):
    """Kinds of inputs, by the nets that lead to them."""

    ROUTED = 0
    DATA = 1
    """D of a flip-flop."""
    CONTROL = 2
    """Clock enable, set or reset of a flip-flop."""
    CARRY = 3
    """S or DI of a carry chain."""
    DIRECT = 4
    """Reached by a wire of its own: carries, cascades, wide multiplexers."""


@dataclass(frozen=True, kw_only=True)
class Arcs:
    """Arcs of a cell; bits are those of its netlist, delays are picoseconds."""

    through: list[tuple[int, int, Pin, int]]
    """From an input bit to an output bit: both, kind of the input, delay."""
    launches: list[tuple[int, int]]
    """Output bits that leave registers, with the delay from the clock."""
    captures: list[tuple[int, Pin, int]]
    """Input bits that reach registers, with the setup."""


def is_fabric(kind: str) -> bool:
    """Return True if a cell is logic of a slice: a table, a carry or a multiplexer."""
    return is_lut(kind) or kind in MUXES or kind in CARRIES or kind in LUT_MEMORIES


def arcs(cell: Cell, delays: Delays = DELAYS) -> Arcs:
    """Return the timing arcs of a cell."""
    found = Arcs(through=[], launches=[], captures=[])
    kind = cell.kind
    if is_lut(kind):
        _through(found, cell, delays.lut)
    elif kind in MUXES:
        _through(found, cell, delays.mux)
    elif kind in CARRIES:
        _carry(found, cell, delays)
    elif kind in LUT_MEMORIES:
        _lut_memory(found, cell, delays)
    elif kind.startswith("DSP48"):
        _dsp(found, cell, delays)
    elif kind.startswith("FD") or kind.startswith("LD"):
        for name, bit in _inputs(cell):
            control = name in ENABLES_AND_RESETS
            setup = delays.control_setup if control else delays.register_setup
            found.captures.append((bit, Pin.CONTROL if control else Pin.DATA, setup))
        found.launches.extend((bit, delays.register) for _, bit in _outputs(cell))
    else:
        _memory(found, cell, delays)
    return found


def _inputs(cell: Cell) -> Iterator[tuple[str, int]]:
    """Yield name and bit of all inputs that are no constants and no clocks."""
    for name, bit in _bits(cell.inputs):
        if not cell.clocked_by(name):
            yield name, bit


def _outputs(cell: Cell) -> Iterator[tuple[str, int]]:
    return _bits(cell.outputs)


def _bits(ports: dict[str, tuple[int | str, ...]]) -> Iterator[tuple[str, int]]:
    for name, bits in ports.items():
        for bit in bits:
            if isinstance(bit, int):
                yield name, bit


def _through(found: Arcs, cell: Cell, delay: int) -> None:
    for name, source in _inputs(cell):
        direct = cell.kind in MUXES and name != "S"
        pin = Pin.DIRECT if direct else Pin.ROUTED
        found.through.extend((source, bit, pin, delay) for _, bit in _outputs(cell))


def _carry(found: Arcs, cell: Cell, delays: Delays) -> None:
    for output, bits in cell.outputs.items():
        for index, bit in enumerate(bits):
            if not isinstance(bit, int):
                continue
            for name, sources in cell.inputs.items():
                if name in CARRY_INPUTS:
                    pin = Pin.DIRECT
                    delay = delays.carry_in_sum if output == "O" else delays.carry_in_out
                else:
                    pin, delay = Pin.CARRY, delays.carry
                    # A sum takes the carry of the bits below and its own S.
                    own = output == "CO" or name == "S"
                    sources = sources[: index + own]
                for source in sources:
                    if isinstance(source, int):
                        found.through.append((source, bit, pin, delay))


def _lut_memory(found: Arcs, cell: Cell, delays: Delays) -> None:
    read = set()
    for output, bit in _outputs(cell):
        found.launches.append((bit, delays.lut_memory))
        for name, source in _inputs(cell):
            if cell.reads(name, output):
                read.add(name)
                found.through.append((source, bit, Pin.ROUTED, delays.lut))
    for name, bit in _inputs(cell):
        if name not in read:
            found.captures.append((bit, Pin.ROUTED, delays.lut_memory_setup))


def _memory(found: Arcs, cell: Cell, delays: Delays) -> None:
    ultra = cell.kind.startswith("URAM")
    for name, bit in _inputs(cell):
        pin = Pin.DIRECT if name.startswith("CAS") else Pin.ROUTED
        found.captures.append((bit, pin, delays.memory_setup))
    for name, bit in _outputs(cell):
        port = "B" if name.startswith(("DOUTB", "DOUTPB", "DOUT_B", "DOBDO", "DOPBDO")) else "A"
        if ultra:
            registered = _on(cell, f"OREG_{port}", False)
            delay = delays.ultra_ram_registered if registered else delays.ultra_ram
        else:
            registered = _on(cell, f"DO{port}_REG", False)
            delay = delays.block_ram_registered if registered else delays.block_ram
        found.launches.append((bit, delay))


def _on(cell: Cell, name: str, default: bool) -> bool:
    """Return True if a parameter, a number in binary or a word, is neither 0 nor FALSE."""
    value = cell.parameters.get(name)
    if value is None:
        return default
    text = str(value).strip()
    return bool(int(text, 2)) if set(text) <= {"0", "1"} else text != "FALSE"


def _dsp(found: Arcs, cell: Cell, delays: Delays) -> None:
    multiplies = cell.parameters.get("USE_MULT", "MULTIPLY").strip() != "NONE"
    product, result = multiplies and _on(cell, "MREG", True), _on(cell, "PREG", True)
    product_delay = delays.dsp_multiplier if multiplies else 0
    combinational: list[tuple[int, Pin, int]] = []
    registered = False
    for name, bit in _inputs(cell):
        pin = Pin.DIRECT if name in CASCADES else Pin.ROUTED
        register = MULTIPLIED.get(name) or ADDED.get(name)
        # OPMODE and the like; CE and RST have registers of their own.
        if name not in (*MULTIPLIED, *ADDED, "PCIN", "CARRYCASCIN", "MULTSIGNIN"):
            found.captures.append((bit, pin, delays.dsp_setup))
        elif register and _on(cell, register, True):
            registered = True
            found.captures.append((bit, pin, delays.dsp_setup))
        elif name in MULTIPLIED and product:
            found.captures.append((bit, pin, delays.dsp_multiplier))
        else:
            before = product_delay if name in MULTIPLIED else 0
            if result:
                found.captures.append((bit, pin, before + delays.dsp_adder))
            else:
                combinational.append((bit, pin, before + delays.dsp_adder))
    for _, bit in _outputs(cell):
        if result:
            found.launches.append((bit, delays.dsp_output))
            continue
        if product:
            found.launches.append((bit, delays.dsp_adder))
        elif registered:
            found.launches.append((bit, product_delay + delays.dsp_adder))
        found.through.extend((source, bit, pin, delay) for source, pin, delay in combinational)
