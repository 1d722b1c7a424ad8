"""Facts about a device from the files of its overlay, for benchmarks."""

import json
from dataclasses import replace

from tercel.device import DeviceFacts, Fact
from tercel.hardware.overlay_files import OverlayFiles

__all__ = ["overlay_facts"]


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
        memory_rate=Fact(value=None, note="not measured"),
        selftest=Fact(value=None, note="not run"),
    )


def _told(value: str | float | None, source: str) -> Fact:
    return Fact(value=value, note=source if value is not None else f"{source} does not have it")


def _scaled(gbs: float | None) -> float | None:
    return None if gbs is None else 1e9 * gbs


def _hash(files: OverlayFiles) -> Fact:
    """The hash of the bitstream, or of the firmware made of it."""
    if (found := files.bitstream_hash) is not None:
        return Fact(value=found[0], note=found[1])
    return Fact(value=None, note=f"neither {files.bitstream.name} nor its firmware is there")
