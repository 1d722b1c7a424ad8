"""Facts about a device from the files of its overlay, for benchmarks."""

import json
from dataclasses import replace

from tercel.device import DeviceFacts, Fact
from tercel.file_hash import file_sha256
from tercel.hardware.overlay_files import OverlayFiles

__all__ = ["overlay_facts"]

FIRMWARE = ".bit.bin"
"""Suffix of the bitstream as the kernel's firmware loader takes it."""


def overlay_facts(files: OverlayFiles, facts: DeviceFacts) -> DeviceFacts:
    """Add board, accelerator, bitstream and the memory's peak to a board's own facts."""
    board = files.board
    sidecar = f"the sidecar {files.sidecar.name}"
    return replace(
        facts,
        hardware=_told(board.get("description"), sidecar),
        accelerator=Fact(value=json.dumps(json.loads(files.spec.to_json())), note=sidecar),
        overlay_sha256=_hash(files),
        memory_peak=_told(_scaled(board.get("memory", {}).get("peak_gbs")), sidecar),
        memory_rate=Fact(value=None, note="`tercel doctor` measures it"),
        selftest=Fact(value=None, note="`tercel doctor --selftest` runs it"),
    )


def _told(value: str | float | None, source: str) -> Fact:
    return Fact(value=value, note=source if value is not None else f"{source} does not have it")


def _scaled(gbs: float | None) -> float | None:
    return None if gbs is None else 1e9 * gbs


def _hash(files: OverlayFiles) -> Fact:
    """The hash of the bitstream, or of the firmware made of it."""
    firmware = files.bitstream.with_name(files.bitstream.stem + FIRMWARE)
    for path in (files.bitstream, firmware):
        if path.is_file():
            return Fact(value=file_sha256(path), note=path.name)
    return Fact(value=None, note=f"neither {files.bitstream.name} nor {firmware.name} is there")
