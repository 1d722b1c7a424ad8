"""The whole accelerator behind bus models of others, on both simulators."""

import re
from pathlib import Path

import pytest

from tercel.config import PRESETS, ModelConfig
from tercel.image import random_image
from tercel_hw.top import ACCELERATORS
from tercel_sim.rtl_library import rtl_verilog

BENCH = Path(__file__).parent / "benches" / "accelerator_bench.py"
DOCUMENT = Path(__file__).parents[2] / "docs" / "integration.md"
CONFIG = ACCELERATORS["tiny"]
SMALL = ModelConfig(
    name="one layer",
    layers=1,
    hidden_size=32,
    ffn_size=48,
    heads=2,
    kv_heads=1,
    head_size=16,
    vocab_size=32,
    context=16,
)


@pytest.fixture
def run(bench, tmp_path):
    def run(model, **arguments):
        image = tmp_path / "model.tercel"
        random_image(image, model, layout=CONFIG.layout)
        bench(rtl_verilog(CONFIG), BENCH, top="tercel", image=image, **arguments)

    return run


def test_a_pass_of_one_layer(run):
    run(SMALL, passes=1, pause=0.3)


@pytest.mark.slow
def test_passes_of_a_model(run):
    run(PRESETS["tiny"], passes=2, pause=0.5)


def test_the_documented_bench(bench, tmp_path):
    text = DOCUMENT.read_text()
    found = [each for each in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "@" in each]
    path = tmp_path / "documented.py"
    path.write_text("\n".join(found))
    bench(rtl_verilog(CONFIG), path, top="tercel")
