"""Records of builds, as the scripts for the vendor's tool write them."""

import json

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


def write_record(path, **changes):
    """Write a record with changes; return its path."""
    path.write_text(json.dumps(RECORD | changes))
    return path
