"""The record of a build that the vendor's tool writes: timing, resources, clock, release."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tercel.errors import TercelError

__all__ = ["BuildRecord", "Try"]

FORMAT = "tercel build"
SLACKS = ("setup", "hold", "pulse")
COUNTED = ("lut", "lut_memory", "ff", "clb", "dsp", "bram36", "uram")


@dataclass(frozen=True, kw_only=True)
class Try:
    """Worst slacks of an implementation, in ns."""

    strategy: str
    setup: float
    hold: float
    pulse: float

    @property
    def met(self) -> bool:
        return min(self.setup, self.hold, self.pulse) >= 0


@dataclass(frozen=True, kw_only=True)
class BuildRecord:
    """A build: post-route figures of the vendor's tool."""

    board: str
    part: str
    vivado: str
    verilog_sha256: str
    """Hash of the accelerator's Verilog."""
    clock_mhz: float
    achieved_mhz: float
    met: bool
    passing_mhz: float
    """Fastest clock of the PLL at which the last try meets the setup times."""
    critical_warnings: int
    tries: tuple[Try, ...]
    """In order; the last is the one that was built, or the last that failed."""
    used: dict[str, tuple[float, float]]
    """Used and available of each resource."""

    @property
    def setup(self) -> float:
        """Worst slack of the setup times in ns (WNS)."""
        return self.tries[-1].setup

    @classmethod
    def load(cls, path: Path) -> "BuildRecord":
        """Read a record.

        Raises
        ------
        TercelError
            If it cannot be read, or is no record of a build.
        """
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise TercelError(f"the record {path} cannot be read: {error}") from None
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise TercelError(f"{path} is no record of a build: `tercel bitstream` writes them")
        try:
            record = cls._of(found)
        except (KeyError, TypeError, ValueError) as error:
            raise TercelError(f"the record {path} lacks or spoils a field: {error!r}") from None
        if not record.tries or record.met != record.tries[-1].met:
            raise TercelError(f"the record {path} contradicts itself: met and its slacks differ")
        return record

    @classmethod
    def _of(cls, found: dict[str, Any]) -> "BuildRecord":
        tries = tuple(
            Try(strategy=each["strategy"], **{name: float(each[name]) for name in SLACKS})
            for each in found["tries"]
        )
        used = {
            name: (float(counts["used"]), float(counts["available"]))
            for name, counts in found["utilisation"].items()
            if name in COUNTED
        }
        return cls(
            board=found["board"],
            part=found["part"],
            vivado=found["vivado"],
            verilog_sha256=str(found["verilog_sha256"]),
            clock_mhz=float(found["clock_mhz"]),
            achieved_mhz=float(found["achieved_mhz"]),
            met=bool(found["met"]),
            passing_mhz=float(found["passing_mhz"]),
            critical_warnings=int(found["critical_warnings"]),
            tries=tries,
            used=used,
        )
