"""The files of an overlay, which lie beside its bitstream under the same name."""

import json
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from tercel.errors import TercelError
from tercel.file_hash import file_sha256
from tercel.hardware.build_record import BuildRecord
from tercel.program import AcceleratorSpec

__all__ = ["OverlayFiles"]

CLOCKS = ("PSU__CRL_APB__PL0_REF_CTRL__ACT_FREQMHZ", "PCW_ACT_FPGA0_PERIPHERAL_FREQMHZ")
"""Parameters of the processing system with the frequency that the tool could make, in MHz."""
FIRMWARE = ".bit.bin"
"""Suffix of the bitstream as the kernel's firmware loader takes it."""
ORIGINS = {
    ".bit": "the vendor's build writes it",
    ".hwh": "the vendor's build writes it; pynq reads addresses and clocks in it",
    ".json": "`tercel hdl` writes it beside the Verilog",
}
"""The files that pynq needs, by suffix."""


@dataclass(frozen=True)
class OverlayFiles:
    """An overlay by one base name: ``.bit``, ``.hwh``, ``.json`` and perhaps others.

    What was read once is kept, so one object stands for the overlay of a process.

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
        for suffix in ORIGINS:
            self._require(suffix)

    def _require(self, suffix: str) -> Path:
        path = self._beside(suffix)
        if not path.is_file():
            raise TercelError(
                f"the overlay lacks the file {path}: {ORIGINS[suffix]}; copy it there"
            )
        return path

    @cached_property
    def spec(self) -> AcceleratorSpec:
        """The accelerator's parameters, from the sidecar.

        Raises
        ------
        TercelError
            If there is no sidecar, or it is none of this version.
        """
        return AcceleratorSpec.load(self._require(".json"))

    @cached_property
    def build(self) -> BuildRecord | None:
        """The record of the build; ``None`` if there is none.

        Raises
        ------
        TercelError
            If the file is no record.
        """
        path = self._beside("_build.json")
        return BuildRecord.load(path) if path.is_file() else None

    @property
    def builds_match(self) -> bool:
        """False if sidecar and record tell hashes of Verilog that differ."""
        mine = self._facts.get("sha256")
        return self.build is None or mine in (None, self.build.verilog_sha256)

    @cached_property
    def bitstream_hash(self) -> tuple[str, str] | None:
        """SHA-256 and name of the bitstream, or of the firmware made of it, or ``None``."""
        for suffix in (".bit", FIRMWARE):
            if (path := self._beside(suffix)).is_file():
                return file_sha256(path), path.name
        return None

    @cached_property
    def module(self) -> str:
        """Name of the accelerator's top module."""
        return str(self._facts.get("module", "tercel"))

    @property
    def clock_hz(self) -> float:
        """The clock for which the overlay was built, in Hz.

        Hardware description and record of the build have the frequency that could be made, the
        sidecar the one that was asked for.

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
        if self.build is not None:
            return self.build.achieved_mhz * 1e6
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
