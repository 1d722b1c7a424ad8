"""Facts about a device from the files of its overlay, for benchmarks."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

from tercel.device import DeviceFacts, Fact
from tercel.hardware.overlay_files import OverlayFiles

__all__ = ["overlay_facts"]

FIRMWARE = ".bit.bin"
"""Suffix of the bitstream as the kernel's firmware loader takes it."""
BLOCK_BYTES = 1 << 20


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
            return Fact(value=_sha256(path), note=path.name)
    return Fact(value=None, note=f"neither {files.bitstream.name} nor {firmware.name} is there")


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
