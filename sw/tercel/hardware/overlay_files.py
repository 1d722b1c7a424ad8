"""The files of an overlay, which lie beside its bitstream under the same name."""

import json
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from tercel.errors import TercelError
from tercel.program import AcceleratorSpec

__all__ = ["OverlayFiles"]

CLOCKS = ("PSU__CRL_APB__PL0_REF_CTRL__ACT_FREQMHZ", "PCW_ACT_FPGA0_PERIPHERAL_FREQMHZ")
"""Parameters of the processing system with the frequency that the tool could make, in MHz."""


@dataclass(frozen=True)
class OverlayFiles:
    """An overlay by one base name: ``.bit``, ``.hwh``, ``.json`` and perhaps ``.dtbo``.

    Parameters
    ----------
    path
        The bitstream, or the base name without suffix.
    """

    path: Path

    @classmethod
    def find(cls, path: Path) -> "OverlayFiles":
        """The overlay of a path; a bare name that is no file is looked up in ``tercel.overlays``.

        As pynq does, in a folder of that name or without one.
        """
        here = cls(path)
        if path.name != str(path) or here.sidecar.exists() or here.bitstream.exists():
            return here
        folder = Path(str(files("tercel.overlays")))
        for place in (folder / path.name.removesuffix(".bit"), folder):
            found = cls(place / path.name)
            if found.sidecar.exists():
                return found
        return here

    @property
    def bitstream(self) -> Path:
        return self._beside(".bit")

    @property
    def description(self) -> Path:
        """The hardware description that the vendor's tool writes."""
        return self._beside(".hwh")

    @property
    def sidecar(self) -> Path:
        """The accelerator's own description, by ``tercel hdl``."""
        return self._beside(".json")

    @property
    def device_tree(self) -> Path | None:
        """The device tree overlay, ``None`` if there is no such file."""
        path = self._beside(".dtbo")
        return path if path.is_file() else None

    def check(self) -> None:
        """Check that all files which pynq needs are there.

        Raises
        ------
        TercelError
            If one is missing; the message says where it comes from.
        """
        for path, origin in (
            (self.bitstream, "the vendor's build writes it"),
            (
                self.description,
                "the vendor's build writes it; pynq reads addresses and clocks in it",
            ),
            (self.sidecar, "`tercel hdl` writes it beside the Verilog"),
        ):
            if not path.is_file():
                raise TercelError(f"the overlay lacks the file {path}: {origin}; copy it there")

    @cached_property
    def spec(self) -> AcceleratorSpec:
        """The accelerator's parameters, from the sidecar."""
        return AcceleratorSpec.load(self.sidecar)

    @cached_property
    def module(self) -> str:
        """Name of the accelerator's top module."""
        return str(self._facts.get("module", "tercel"))

    @property
    def clock_hz(self) -> float:
        """The clock for which the overlay was built, in Hz.

        The hardware description has the frequency that could be made, the sidecar the one that was
        asked for.

        Raises
        ------
        TercelError
            If no file has it.
        """
        if self.description.is_file():
            try:
                tree = ElementTree.parse(self.description)
            except ElementTree.ParseError as error:
                raise TercelError(
                    f"the hardware description {self.description} is not valid: {error}; "
                    "copy it again from the vendor's build"
                ) from None
            for parameter in tree.iter("PARAMETER"):
                if parameter.get("NAME") in CLOCKS and (value := parameter.get("VALUE")):
                    return float(value) * 1e6
        if self.board:
            return float(self.board["clock"]["mhz"]) * 1e6
        raise TercelError(
            f"neither {self.description} nor {self.sidecar} says what clock the overlay was built "
            "for; copy the hardware description beside the bitstream"
        )

    @property
    def board(self) -> dict[str, Any]:
        """The sidecar's object ``board``; empty if the overlay was built for none."""
        return self._facts.get("board") or {}

    @property
    def segments(self) -> list[dict[str, Any]]:
        """Memory that every port reaches, ``base`` and ``bytes``; empty if the sidecar has none."""
        return (self.board.get("memory") or {}).get("segments", [])

    @cached_property
    def _facts(self) -> dict[str, Any]:
        self.spec  # noqa: B018 - refuses what is no sidecar
        return json.loads(self.sidecar.read_text())

    def _beside(self, suffix: str) -> Path:
        base = self.path.with_suffix("") if self.path.suffix == ".bit" else self.path
        return base.with_name(base.name + suffix)
