"""Time and memory of converting a checkpoint of a reference shape to an image.

Evidence class: measured in software, on the machine that runs it. The checkpoint has random
weights, one shard per layer, and is written under build/ once: in the layout of bitnet_b1_58-large
(float masters), or with `--packed` in that of HF1BitLLM's Llama3-8B-1.58 (packed trits). The
conversion runs in its own process, so that its resident size is measured alone:
`python bench/conversion.py [--model 0.7b] [--dtype float32] [--threads 2]`;
`python bench/conversion.py --model llama3-8b --packed --dtype bfloat16 --remove`.
"""

import argparse
import itertools
import json
import shutil
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
from tercel_export.huggingface.names import LINEARS, NORMS
from tercel_quant.convert import convert

BUILD = Path(__file__).parents[1] / "build" / "bench"

SUB_NORMS = {
    "attention_sub_norm": "self_attn.inner_attn_ln",
    "mlp_sub_norm": "mlp.ffn_layernorm",
}
"""Those of bitnet_b1_58-large."""
SHAPES = PRESETS | {
    "llama3-8b": ModelConfig(
        name="llama3-8b",
        layers=32,
        hidden_size=4096,
        ffn_size=14336,
        heads=32,
        kv_heads=8,
        head_size=128,
        vocab_size=128256,
        context=8192,
        rope_base=500000.0,
        tied_head=False,
    )
}
PACKED_BYTES = torch.tensor(
    [
        sum(code << 2 * place for place, code in enumerate(codes))
        for codes in itertools.product(range(3), repeat=4)
    ],
    dtype=torch.uint8,
)
"""All bytes of four codes of trits."""


def checkpoint_path(config: ModelConfig, dtype: str, packed: bool) -> Path:
    return BUILD / f"checkpoint-{config.name}-{'packed' if packed else dtype}"


def image_path(config: ModelConfig) -> Path:
    return BUILD / f"conversion-{config.name}.tercel"


def make_checkpoint(config: ModelConfig, dtype: str, packed: bool) -> None:
    """Write random weights, one shard per layer, unless the checkpoint exists."""
    folder = checkpoint_path(config, dtype, packed)
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

    def linear(source: str, rows: int, columns: int) -> dict[str, torch.Tensor]:
        if not packed:
            return {source: random(rows, columns)}
        places = torch.randint(len(PACKED_BYTES), (rows // 4, columns), generator=generator)
        return {source: PACKED_BYTES[places], f"{source}_scale": torch.full((1,), 50.0, dtype=kind)}

    for source in ("model.embed_tokens.weight", *([] if config.tied_head else ["lm_head.weight"])):
        save(f"{source}.safetensors", {source: random(config.vocab_size, config.hidden_size)})
    norm = torch.ones(config.hidden_size, dtype=kind)
    save("norm.safetensors", {"model.norm.weight": norm})
    for index in range(config.layers):
        prefix = f"model.layers.{index}"
        tensors: dict[str, torch.Tensor] = {}
        for name, shape in config.linears().items():
            tensors |= linear(f"{prefix}.{LINEARS[name]}.weight", *shape)
        for name, width in config.norms().items():
            tensors[f"{prefix}.{(NORMS | SUB_NORMS)[name]}.weight"] = torch.ones(width, dtype=kind)
        save(f"layer-{index:02}.safetensors", tensors)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    fields = {
        "architectures": ["BitnetForCausalLM" if config.sub_norms else "LlamaForCausalLM"],
        "hidden_act": config.activation,
        "hidden_size": config.hidden_size,
        "intermediate_size": config.ffn_size,
        "max_position_embeddings": config.context,
        "num_attention_heads": config.heads,
        "num_hidden_layers": config.layers,
        "num_key_value_heads": config.kv_heads,
        "rms_norm_eps": config.norm_epsilon,
        "rope_theta": config.rope_base,
        "tie_word_embeddings": config.tied_head,
        "vocab_size": config.vocab_size,
    }
    if packed:
        fields["quantization_config"] = {"quant_method": "bitnet"}
    # Written last, so that an interrupted checkpoint is written again.
    (folder / "config.json").write_text(json.dumps(fields))


def peak_resident_gib() -> float:
    """Peak of this process's own resident size; ``ru_maxrss`` would include its parent's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (peak,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(peak) / 2**20


def measure(config: ModelConfig, dtype: str, packed: bool, threads: int) -> dict[str, float]:
    """Convert the checkpoint; time, memory and sizes by name."""
    torch.set_num_threads(threads)
    folder = checkpoint_path(config, dtype, packed)
    imported = peak_resident_gib()
    start, busy = time.perf_counter(), time.process_time()
    conversion = convert(folder, image_path(config))
    return {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - busy,
        "resident_gib": peak_resident_gib(),
        "of_that_imports_gib": imported,
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
    parser.add_argument("--model", choices=sorted(SHAPES), default="0.7b")
    parser.add_argument("--dtype", choices=["float32", "bfloat16", "float16"], default="float32")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--packed", action="store_true", help="packed trits in place of masters")
    parser.add_argument("--remove", action="store_true", help="remove checkpoint and image after")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    config = SHAPES[arguments.model]
    if arguments.worker:
        print(json.dumps(measure(config, arguments.dtype, arguments.packed, arguments.threads)))
        return
    make_checkpoint(config, arguments.dtype, arguments.packed)
    command = [sys.executable, __file__, "--worker", "--model", config.name]
    command += ["--dtype", arguments.dtype, "--threads", str(arguments.threads)]
    command += ["--packed"] if arguments.packed else []
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures = json.loads(answer.stdout)
    if arguments.remove:
        shutil.rmtree(checkpoint_path(config, arguments.dtype, arguments.packed))
        image_path(config).unlink()
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
