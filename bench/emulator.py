"""Speed and memory of the emulator: random images of the reference shapes.

A model `...-groups` has the shape with scales of groups, a ternary head and q/k norms.

Evidence class: measured in software, on the machine that runs it. Each model runs in its own
process, so that its resident size is measured alone:
`python bench/emulator.py [--models small 0.7b] [--tokens 64]`.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tercel.config import PRESETS
from tercel.device.emulator import EmulatorDevice
from tercel.image import Image, random_image

GROUPS = {"granularity": "group", "ternary_head": True, "qk_norm": True}
MODELS = PRESETS | {f"{name}-groups": replace(PRESETS[name], **GROUPS) for name in PRESETS}
BUILD = Path(__file__).parents[1] / "build" / "bench"


def measure(name: str, tokens: int) -> dict[str, float]:
    """Open an image, prefill 16 tokens, decode ``tokens`` one by one, run one pass of 8 nodes."""
    start = time.perf_counter()
    image = Image.open(image_path(name))
    device = EmulatorDevice(image)
    opened = time.perf_counter()
    device.prefill(range(16))
    prefilled, processor = time.perf_counter(), time.process_time()
    for token in range(tokens):
        device.run_pass([token])
        device.commit([0])
    decoded, processor = time.perf_counter(), time.process_time() - processor
    device.run_pass(range(8))
    verified = time.perf_counter()
    return {
        "open_seconds": opened - start,
        "prefill_tokens_per_second": 16 / (prefilled - opened),
        "decode_tokens_per_second": tokens / (decoded - prefilled),
        "decode_processor_ms": 1000 * processor / tokens,
        "verify_8_over_1": (verified - decoded) / ((decoded - prefilled) / tokens),
        "resident_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "file_mib": image_path(name).stat().st_size / 2**20,
        "bits_per_weight": image.footprint.bits_per_weight,
    }


def image_path(name: str) -> Path:
    return BUILD / f"random-{name}.tercel"


def in_its_own_process(name: str, tokens: int) -> dict[str, float]:
    if not image_path(name).exists():
        BUILD.mkdir(parents=True, exist_ok=True)
        random_image(image_path(name), MODELS[name])
    command = [sys.executable, __file__, "--models", name, "--tokens", str(tokens), "--child"]
    done = subprocess.run(command, check=True, capture_output=True, timeout=3600)
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=["small", "0.7b"], choices=MODELS)
    parser.add_argument("--tokens", type=int, help="decoded tokens, by default 128 or 8")
    parser.add_argument("--child", action="store_true", help="measure one model, print JSON")
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(measure(arguments.models[0], arguments.tokens)))
        return
    table = Table(title="emulator, measured in software on this machine")
    for column in ("random model", "decode tok/s", "decode CPU ms", "prefill tok/s", "V(8)/V(1)"):
        table.add_column(column, justify="right")
    for column in ("open s", "resident GiB", "file MiB", "bits/weight"):
        table.add_column(column, justify="right")
    for name in arguments.models:
        tokens = arguments.tokens or (128 if MODELS[name].ternary_weights < 1e8 else 8)
        row = in_its_own_process(name, tokens)
        table.add_row(
            name,
            f"{row['decode_tokens_per_second']:.2f}",
            f"{row['decode_processor_ms']:.0f}",
            f"{row['prefill_tokens_per_second']:.2f}",
            f"{row['verify_8_over_1']:.2f}",
            f"{row['open_seconds']:.2f}",
            f"{row['resident_gib']:.2f}",
            f"{row['file_mib']:.1f}",
            f"{row['bits_per_weight']:.4f}",
        )
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
