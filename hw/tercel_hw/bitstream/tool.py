"""The vendor's tool: where it is and of which release."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tercel.errors import TercelError
from tercel_hw.export.vivado import OLDEST_VIVADO

__all__ = ["Vivado", "find_vivado"]

SECONDS = 120
"""Longest time that the tool may take to say its release."""
RELEASE = re.compile(r"vivado v(\d+\.\d+)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Vivado:
    """An installed Vivado."""

    path: Path
    release: str


def find_vivado() -> Vivado:
    """Find Vivado on the path.

    Raises
    ------
    TercelError
        If there is none, it does not start, or its release is too old; in one line.
    """
    found = shutil.which("vivado")
    if found is None:
        raise TercelError(
            f"a bitstream needs Vivado {OLDEST_VIVADO} or newer, but there is no vivado on the "
            "path: install it and source its settings64.sh"
        )
    try:
        said = subprocess.run(
            [found, "-version"], capture_output=True, text=True, timeout=SECONDS, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TercelError(f"{found} does not say its release: {error}") from None
    match = RELEASE.search(said)
    if match is None:
        first = said.strip().partition("\n")[0]
        raise TercelError(f"{found} does not say its release, but {first!r}")
    if _numbers(match[1]) < _numbers(OLDEST_VIVADO):
        raise TercelError(
            f"a bitstream needs Vivado {OLDEST_VIVADO} or newer, but {found} is {match[1]}"
        )
    return Vivado(path=Path(found), release=match[1])


def _numbers(release: str) -> tuple[int, ...]:
    return tuple(int(part) for part in release.split("."))
