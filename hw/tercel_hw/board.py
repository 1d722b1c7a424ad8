"""Descriptions of boards: the fields that a build reads, loaded from ``board.toml``."""

import sys
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from tercel.errors import TercelError
from tercel_hw.processor import Processor
from tercel_hw.synthesis.resources import Resources
from tercel_hw.target import Target

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = [
    "BoardSpec",
    "Ddr",
    "Segment",
    "board_folder",
    "board_names",
    "load_board",
    "parse_board",
]

PACKAGED = Path(__file__).parent / "boards"
CHECKOUT = Path(__file__).parents[2] / "boards"
"""Folders of the boards: in an installed package, and in a checkout."""
DESCRIPTION = "board.toml"


@dataclass(frozen=True, kw_only=True)
class Ddr:
    """The processing system's memory, by its data sheet."""

    bytes: int
    bits: int
    """Width of the bus without ECC."""
    mts: int
    """Million transfers a second."""
    simulated: str
    """Preset of the simulated memory (``tercel simulate --ddr``)."""

    @property
    def peak_gbs(self) -> float:
        """GB/s that the bus carries at most."""
        return self.bits // 8 * self.mts / 1000


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A range of memory behind each port."""

    name: str
    """The vendor's name without the port's."""
    base: int
    bytes: int


@dataclass(frozen=True, kw_only=True)
class BoardSpec:
    """Description of a board; the fields of its ``board.toml``."""

    name: str
    folder: Path
    """Folder of its description."""
    description: str
    target: Target
    """Target of the Verilog, which decides the primitives; ``family`` in the file."""
    processor: Processor
    part: str
    board_part: str
    """Pattern of the vendor's board files."""
    preset: str
    """The accelerator built for it."""
    tested_vivado: tuple[str, ...]
    """Releases with which a build for it is known to work."""
    clock: str
    """The processing system's clock for the logic."""
    clock_mhz: float
    ddr: Ddr
    memory_ports: tuple[str, ...]
    """The processing system's ports to memory, in the order of the accelerator's."""
    port_bits: int
    segments: tuple[Segment, ...]
    """Address segments of the memory: all of it."""
    control_port: str
    control_base: int
    control_bytes: int
    resources: Resources


def board_folder() -> Path:
    """Return the folder of all boards, with the scripts that they share in ``flow``."""
    return PACKAGED if PACKAGED.is_dir() else CHECKOUT


def board_names() -> tuple[str, ...]:
    """Boards that :func:`load_board` knows."""
    return tuple(sorted(path.parent.name for path in board_folder().glob(f"*/{DESCRIPTION}")))


def load_board(name: str) -> BoardSpec:
    """Load the description of a board by its name.

    Raises
    ------
    TercelError
        If there is no such board, or its description lacks a field.
    """
    if name not in (names := board_names()):
        raise TercelError(f"board must be one of {', '.join(names)}, not {name!r}")
    folder = board_folder() / name
    return parse_board((folder / DESCRIPTION).read_text(encoding="utf-8"), name, folder)


def parse_board(text: str, name: str, folder: Path) -> BoardSpec:
    """Parse the text of a ``board.toml``.

    Raises
    ------
    TercelError
        If the text is no TOML, lacks a field, has an unknown one, names an unknown family or
        processor, or its segments are not the memory.
    """
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TercelError(f"the board {name} is not valid TOML: {error}") from None
    try:
        clock, memory, control = (found.pop(table) for table in ("clock", "memory", "control"))
        values: dict[str, Any] = {
            "target": Target.parse(found.pop("family"), what=f"the family of the board {name}"),
            "processor": Processor.parse(
                found.pop("processor"), what=f"the processor of the board {name}"
            ),
            "clock": clock.pop("name"),
            "clock_mhz": clock.pop("mhz"),
            "ddr": _record(Ddr, found.pop("ddr"), f"the ddr of the board {name}"),
            "memory_ports": tuple(memory.pop("ports")),
            "port_bits": memory.pop("port_bits"),
            "segments": tuple(
                _record(Segment, segment, f"a segment of the board {name}")
                for segment in memory.pop("segments")
            ),
            "control_port": control.pop("port"),
            "control_base": control.pop("base"),
            "control_bytes": control.pop("bytes"),
            "tested_vivado": tuple(found.pop("tested_vivado")),
            "resources": _record(
                Resources, found.pop("resources"), f"the resources of the board {name}"
            ),
        }
        values |= {field: found.pop(field) for field in PLAIN}
    except KeyError as error:
        raise TercelError(f"the board {name} lacks the field {error.args[0]}") from None
    if unknown := [field for table in (found, clock, memory, control) for field in table]:
        raise TercelError(f"the board {name} has unknown fields: {', '.join(unknown)}")
    board = BoardSpec(name=name, folder=folder, **values)
    if (total := sum(segment.bytes for segment in board.segments)) != board.ddr.bytes:
        raise TercelError(
            f"the segments of the board {name} must be all of its memory, {board.ddr.bytes} bytes, "
            f"but have {total}"
        )
    return board


PLAIN = ("description", "part", "board_part", "preset")


def _record(kind: type, table: dict[str, Any], what: str) -> Any:
    """Build a record of a table; refuse a field too many or too few."""
    known = {field.name for field in fields(kind)}
    if set(table) != known:
        odd = ", ".join(sorted(set(table) ^ known))
        raise TercelError(f"{what} must have the fields {', '.join(sorted(known))}; odd: {odd}")
    return kind(**table)
