"""Descriptions of boards: the fields that a build reads, loaded from ``board.toml``."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tercel.errors import TercelError
from tercel_hw.synthesis.resources import Resources
from tercel_hw.target import Target

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["BoardSpec", "board_names", "load_board", "parse_board"]

PACKAGED = Path(__file__).parent / "boards"
CHECKOUT = Path(__file__).parents[2] / "boards"
"""Folders of the boards: in an installed package, and in a checkout."""
DESCRIPTION = "board.toml"


@dataclass(frozen=True, kw_only=True)
class BoardSpec:
    """Description of a board; the fields of its ``board.toml``."""

    name: str
    folder: Path
    """Folder of its scripts."""
    description: str
    target: Target
    """Target of the Verilog, which decides the primitives; ``family`` in the file."""
    part: str
    board_part: str
    """Pattern of the vendor's board files."""
    preset: str
    """The accelerator built for it."""
    tested_vivado: tuple[str, ...]
    """Releases with which its scripts are known to work."""
    clock: str
    """The processing system's clock for the logic."""
    clock_mhz: int
    memory_ports: tuple[str, ...]
    """The processing system's ports to memory, in the order of the accelerator's."""
    port_bits: int
    segments: tuple[str, ...]
    """Address segments of the memory."""
    control_port: str
    control_base: int
    control_bytes: int
    resources: Resources


def _folder() -> Path:
    return PACKAGED if PACKAGED.is_dir() else CHECKOUT


def board_names() -> tuple[str, ...]:
    """Boards that :func:`load_board` knows."""
    return tuple(sorted(path.parent.name for path in _folder().glob(f"*/{DESCRIPTION}")))


def load_board(name: str) -> BoardSpec:
    """Load the description of a board by its name.

    Raises
    ------
    TercelError
        If there is no such board, or its description lacks a field.
    """
    if name not in (names := board_names()):
        raise TercelError(f"board must be one of {', '.join(names)}, not {name!r}")
    folder = _folder() / name
    return parse_board((folder / DESCRIPTION).read_text(encoding="utf-8"), name, folder)


def parse_board(text: str, name: str, folder: Path) -> BoardSpec:
    """Parse the text of a ``board.toml``.

    Raises
    ------
    TercelError
        If the text is no TOML, lacks a field, has an unknown one or names an unknown family.
    """
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TercelError(f"the board {name} is not valid TOML: {error}") from None
    family = f"the family of the board {name}"
    try:
        clock, memory, control = (found.pop(table) for table in ("clock", "memory", "control"))
        values: dict[str, Any] = {
            "target": Target.parse(found.pop("family"), what=family),
            "clock": clock.pop("name"),
            "clock_mhz": clock.pop("mhz"),
            "memory_ports": tuple(memory.pop("ports")),
            "port_bits": memory.pop("port_bits"),
            "segments": tuple(memory.pop("segments")),
            "control_port": control.pop("port"),
            "control_base": control.pop("base"),
            "control_bytes": control.pop("bytes"),
            "tested_vivado": tuple(found.pop("tested_vivado")),
            "resources": Resources(**found.pop("resources")),
        }
        values |= {field: found.pop(field) for field in PLAIN}
    except KeyError as error:
        raise TercelError(f"the board {name} lacks the field {error.args[0]}") from None
    except TypeError as error:
        raise TercelError(f"the resources of the board {name}: {error}") from None
    if unknown := [field for table in (found, clock, memory, control) for field in table]:
        raise TercelError(f"the board {name} has unknown fields: {', '.join(unknown)}")
    return BoardSpec(name=name, folder=folder, **values)


PLAIN = ("description", "part", "board_part", "preset")
