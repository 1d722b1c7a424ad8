"""Time and memory of converting a checkpoint of a reference shape to an image.

Evidence class: measured in software, on the machine that runs it. The checkpoint has random weights
in the layout of bitnet_b1_58-large, one shard per layer, and is written under build/ once. The
conversion runs in its own process, so that its resident size is measured alone:
`python bench/conversion.py [--model 0.7b] [--dtype float32] [--threads 2]`.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from safetensors.torch import save_file

from tercel.config import PRESETS, ModelConfig
from tercel.image import TapeLayout, footprint
from tercel_quant.convert import convert

BUILD = Path(__file__).parents[1] / "build" / "bench"

LINEARS = {
    "q": "self_attn.q_proj",
    "k": "self_attn.k_proj",
    "v": "self_attn.v_proj",
    "o": "self_attn.o_proj",
    "gate": "mlp.gate_proj",
    "up": "mlp.up_proj",
    "down": "mlp.down_proj",
}
NORMS = {
    "attention_norm": "input_layernorm",
    "mlp_norm": "post_attention_layernorm",
    "attention_sub_norm": "self_attn.inner_attn_ln",
    "mlp_sub_norm": "mlp.ffn_layernorm",
}


def checkpoint_path(config: ModelConfig, dtype: str) -> Path:
    return BUILD / f"checkpoint-{config.name}-{dtype}"


def make_checkpoint(config: ModelConfig, dtype: str) -> None:
    """Write random weights, one shard per layer, unless the checkpoint exists."""
    folder = checkpoint_path(config, dtype)
    if (folder / "config.json").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator().manual_seed(0)
    kind = getattr(torch, dtype)
    places: dict[str, str] = {}

    def save(shard: str, tensors: dict[str, torch.Tensor]) -> None:
        save_file(tensors, folder / shard, metadata={"format": "pt"})
        places.update(dict.fromkeys(tensors, shard))

    def random(*shape: int) -> torch.Tensor:
        return (torch.randn(shape, generator=generator) * 0.02).to(kind)

    save(
        "top.safetensors",
        {
            "model.embed_tokens.weight": random(config.vocab_size, config.hidden_size),
            "model.norm.weight": torch.ones(config.hidden_size, dtype=kind),
        },
    )
    for index in range(config.layers):
        prefix = f"model.layers.{index}"
        tensors = {
            f"{prefix}.{LINEARS[name]}.weight": random(*shape)
            for name, shape in config.linears().items()
        }
        for name, width in config.norms().items():
            tensors[f"{prefix}.{NORMS[name]}.weight"] = torch.ones(width, dtype=kind)
        save(f"layer-{index:02}.safetensors", tensors)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    fields = {
        "architectures": ["BitnetForCausalLM"],
        "hidden_act": config.activation,
        "hidden_size": config.hidden_size,
        "input_bits": 8,
        "intermediate_size": config.ffn_size,
        "max_position_embeddings": config.context,
        "num_attention_heads": config.heads,
        "num_hidden_layers": config.layers,
        "num_key_value_heads": config.kv_heads,
        "rms_norm_eps": config.norm_epsilon,
        "rope_theta": config.rope_base,
        "tie_word_embeddings": config.tied_head,
        "vocab_size": config.vocab_size,
        "weight_bits": 1,
    }
    # Written last, so that an interrupted checkpoint is written again.
    (folder / "config.json").write_text(json.dumps(fields))


def measure(config: ModelConfig, dtype: str, threads: int) -> dict[str, float]:
    """Convert the checkpoint; time, memory and sizes by name."""
    torch.set_num_threads(threads)
    folder = checkpoint_path(config, dtype)
    imported = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start, busy = time.perf_counter(), time.process_time()
    conversion = convert(folder, BUILD / f"conversion-{config.name}.tercel")
    return {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - busy,
        "resident_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "of_that_imports_gib": imported / 2**20,
        "checkpoint_gib": sum(p.stat().st_size for p in folder.glob("*.safetensors")) / 2**30,
        "image_mib": conversion.image_bytes / 2**20,
    }


def ideal_bytes(config: ModelConfig, layout: TapeLayout) -> float:
    """Bytes of the weights and of int8 head rows with their scales, without padding."""
    code = layout.weight_code
    heads = 1 if config.tied_head else 2
    weights = config.ternary_weights * code.bits / code.group / 8
    return weights + heads * config.vocab_size * (config.hidden_size + 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=sorted(PRESETS), default="0.7b")
    parser.add_argument("--dtype", choices=["float32", "bfloat16", "float16"], default="float32")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    config = PRESETS[arguments.model]
    if arguments.worker:
        print(json.dumps(measure(config, arguments.dtype, arguments.threads)))
        return
    make_checkpoint(config, arguments.dtype)
    command = [sys.executable, __file__, "--worker", "--model", config.name]
    command += ["--dtype", arguments.dtype, "--threads", str(arguments.threads)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    figures = json.loads(answer.stdout)
    layout = TapeLayout()
    figures["image_over_weights_and_head"] = (
        figures["image_mib"] * 2**20 / ideal_bytes(config, layout)
    )
    figures["tape_bits_per_weight"] = footprint(config, layout).bits_per_weight
    title = f"conversion of {config.name}, {arguments.dtype}, {arguments.threads} threads"
    table = Table(title=title)
    table.add_column("quantity")
    table.add_column("measured", justify="right")
    for name, value in figures.items():
        table.add_row(name, f"{value:.3f}")
    Console().print(table)


if __name__ == "__main__":
    main()
