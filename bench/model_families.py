"""Every published family of ternary models: read, converted, compared, and where it fits.

Evidence classes: logits measured on small random checkpoints in the published layouts
(`tests/support/published.py`) against transformers, the device is the emulator; speeds by the cycle
model (kv260 memory of 15.0 GB/s, 128 positions, no host) for the models' own shapes.
`PYTHONPATH=tests/support python bench/model_families.py [--json FILE] [--only NAME]`.
"""

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path

import torch
from conversion import SHAPES as CONVERTED
from published import PUBLISHED
from rich.console import Console
from rich.table import Table

from tercel.config import PRESETS, ModelConfig
from tercel.errors import TercelError
from tercel.image import Image
from tercel_hw.fit import preset_excesses
from tercel_quant.compare.comparison import compare
from tercel_quant.convert import convert
from tercel_quant.importers import open_checkpoint
from tercel_sim.predicted_speed import predicted_speed

TOKENS = torch.randint(320, (8, 60), generator=torch.Generator().manual_seed(1))
FALCON3 = ModelConfig(
    name="Falcon3-1B",
    layers=18,
    hidden_size=2048,
    ffn_size=8192,
    heads=8,
    kv_heads=4,
    head_size=256,
    vocab_size=131072,
    context=4096,
    rope_base=1000042.0,
    tied_head=False,
)
WIDE = {"hidden_size": 3072, "heads": 12, "ffn_size": 23040}
SHAPES = (
    FALCON3,
    replace(FALCON3, name="Falcon3-3B", layers=22, **WIDE | {"ffn_size": 9216}),
    replace(FALCON3, name="Falcon3-7B", layers=28, **WIDE),
    replace(FALCON3, name="Falcon3-10B", layers=40, **WIDE),
    replace(CONVERTED["llama3-8b"], name="Llama3-8B-1.58"),
    replace(PRESETS["0.7b"], name="bitnet large"),
    replace(
        PRESETS["0.7b"],
        name="bitnet 3B",
        layers=26,
        hidden_size=3200,
        ffn_size=8640,
        heads=32,
        kv_heads=32,
        head_size=112,
    ),
    replace(PRESETS["2b"], name="bitnet 2B-4T"),
)
"""Shapes of published models."""
REFUSED = {
    "Ternary Bonsai 2": {
        "architectures": ["Qwen3_5ForCausalLM"],
        "layer_types": ["linear_attention", "full_attention"],
        "use_hadamard": True,
    },
    "Hy-MT 1.25bit": {
        "architectures": ["HunYuanDenseV1ForCausalLM"],
        "quantization_config": {"quant_method": "sherry"},
    },
    "Maple": {"architectures": ["LlamaForCausalLM"], "num_experts": 64},
    "MMfreeLM": {"architectures": ["HGRNBitForCausalLM"]},
    "BitNet embeddings": {
        "architectures": ["BitNetForCausalLM"],
        "quantization_config": {"quant_method": "bitnet", "use_rms_norm": True},
    },
}
"""Families that are refused: what their config.json has of the parts that tercel lacks."""
PLAIN = {
    "num_hidden_layers": 2,
    "hidden_size": 64,
    "intermediate_size": 160,
    "num_attention_heads": 4,
    "vocab_size": 320,
    "max_position_embeddings": 64,
    "rms_norm_eps": 1e-5,
    "hidden_act": "silu",
}


def measure(name: str, folder: Path) -> dict[str, float | str]:
    """Convert a small model of a family and compare it with its oracle."""
    published = PUBLISHED[name](folder / "model")
    found = convert(published.folder, folder / "m.tercel", method=published.method)
    result = compare(published.oracle, Image.open(folder / "m.tercel"), TOKENS)
    reference, device = result.agreements["reference"], result.agreements["device"]
    worst, mean = found.multiplier_error or (0.0, 0.0)
    return {
        "converts": found.method,
        "granularity": found.config.granularity,
        "scales_worst": worst,
        "scales_mean": mean,
        "worst_block": max(block.error for block in result.blocks),
        "differs": result.first.name if result.first else "none",
        "reference_argmax": reference.argmax,
        "reference_kl": reference.divergence,
        "device_argmax": device.argmax,
        "device_kl": device.divergence,
    }


def fits() -> dict[str, str]:
    """Each shape's preset and predicted speed."""
    found = {}
    for shape in SHAPES:
        excesses = preset_excesses(shape)
        name = next(each for each in ("kv260", "kv260-wide") if not excesses[each])
        speed, _ = predicted_speed(shape, preset=name, context=128, memory="kv260-15.0")
        why = "" if name == "kv260" else f"; kv260: {'; '.join(excesses['kv260'])}"
        found[shape.name] = f"{name}, {speed:.1f} tokens/s{why}"
    return found


def refusals(folder: Path) -> dict[str, str]:
    """Each refused family's message."""
    found = {}
    for name, fields in REFUSED.items():
        (folder / "config.json").write_text(json.dumps(PLAIN | fields))
        try:
            open_checkpoint(folder)
        except TercelError as error:
            found[name] = str(error).split("config.json: ", 1)[1]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", help="only the logits of families whose name contains this")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = {}
    for name in PUBLISHED:
        if arguments.only is not None and arguments.only not in name:
            continue
        with tempfile.TemporaryDirectory() as folder:
            rows[name] = measure(name, Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        facts = {"logits": rows, "fits": {}, "refused": {}}
        if arguments.only is None:
            facts |= {"fits": fits(), "refused": refusals(Path(folder))}
    if arguments.json:
        arguments.json.write_text(json.dumps(facts, indent=2))
    table = Table(title=f"Against transformers, {TOKENS.numel()} positions")
    for column in ("family", *next(iter(rows.values()))):
        table.add_column(column)
    for name, row in rows.items():
        table.add_row(name, *(f"{x:.2e}" if isinstance(x, float) else x for x in row.values()))
    console = Console()
    console.print(table)
    for title in ("fits", "refused"):
        for name, text in facts[title].items():
            console.print(f"{title}: {name}: {text}")


if __name__ == "__main__":
    main()
