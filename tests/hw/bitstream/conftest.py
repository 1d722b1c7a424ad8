import json

import pytest

RECORD = {
    "format": "tercel build",
    "version": 1,
    "board": "kv260",
    "part": "xck26-sfvc784-2LV-c",
    "vivado": "2023.2",
    "verilog_sha256": "ab",
    "clock_mhz": 250,
    "achieved_mhz": 249.997501,
    "pll": "IOPLL",
    "pll_mhz": 1499.985,
    "met": True,
    "passing_mhz": 249.9975,
    "critical_warnings": 2,
    "tries": [
        {"strategy": "Performance_Explore", "setup": -0.204, "hold": 0.011, "pulse": 1.2},
        {"strategy": "Performance_ExtraTimingOpt", "setup": 0.02, "hold": 0.01, "pulse": 1.2},
    ],
    "utilisation": {
        "lut": {"used": 78123, "available": 117120},
        "lut_memory": {"used": 19000, "available": 57600},
        "ff": {"used": 90000, "available": 234240},
        "clb": {"used": 13900, "available": 14640},
        "dsp": {"used": 847, "available": 1248},
        "bram36": {"used": 84.5, "available": 144},
        "uram": {"used": 50, "available": 64},
    },
}
"""A record as the scripts write it; the figures are made up."""


@pytest.fixture
def written(tmp_path):
    """Writes a record with changes; returns its path."""

    def write(name="a_build.json", **changes):
        path = tmp_path / name
        path.write_text(json.dumps(RECORD | changes))
        return path

    return write


@pytest.fixture
def vivado(monkeypatch, tmp_path):
    """Puts a program of that name on the path, which says its release and then runs a script."""

    def install(said, script="exit 0"):
        folder = tmp_path / "tools"
        folder.mkdir(exist_ok=True)
        program = folder / "vivado"
        program.write_text(
            f'#!/bin/sh\nif [ "$1" = -version ]; then cat <<END\n{said}\nEND\nexit; fi\n{script}\n'
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        return program

    return install
