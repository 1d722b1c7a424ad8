"""Small random checkpoints in the layouts in which models are published, and their oracles.

Every function writes a folder as its makers publish it: names and types of the tensors, the
fields of config.json and generation_config.json, files. The sizes are small, but head sizes and
ratios are the models' own.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from tercel.numerics import quantise_rows

SIZES: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 160,
    "num_hidden_layers": 2,
    "vocab_size": 320,
    "max_position_embeddings": 64,
    "rms_norm_eps": 1e-5,
    "bos_token_id": 1,
    "pad_token_id": None,
}
LINEARS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def is_linear(name: str) -> bool:
    return name.split(".")[-2] in LINEARS


@torch.no_grad()
def random_tensors(model: torch.nn.Module, seed: int = 0) -> dict[str, torch.Tensor]:
    """Random tensors of a model at which every part matters; embedding rows that int8 can hold."""
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, parameter in model.state_dict().items():
        if parameter.dim() == 1:
            tensors[name] = torch.empty(parameter.shape).uniform_(0.5, 1.5, generator=generator)
        elif is_linear(name):
            tensors[name] = torch.randn(parameter.shape, generator=generator) * 0.1
        else:
            rows = torch.randn(parameter.shape, generator=generator) * 0.2
            values, scales = quantise_rows(rows.numpy())
            tensors[name] = torch.from_numpy(values * scales[:, None])
    if model.config.tie_word_embeddings:
        del tensors["lm_head.weight"]
    return tensors


def trits_and_scale(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """BitNet's rounding: trits as floats, and the mean magnitude."""
    scale = weight.abs().mean()
    return (weight / scale).round().clamp(-1, 1), scale


def packed(tensors: dict[str, torch.Tensor], *, divide: bool) -> dict[str, torch.Tensor]:
    """Linears as uint8 with ``weight_scale``, by which products are divided or multiplied."""
    from transformers.integrations.bitnet import pack_weights

    found = {}
    for name, tensor in tensors.items():
        if is_linear(name):
            trits, scale = trits_and_scale(tensor)
            found[name] = pack_weights(trits)
            found[f"{name}_scale"] = (1 / scale if divide else scale).reshape(1)
        else:
            found[name] = tensor
    return found


def dequantised(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Linears as trits times their scale."""
    found = dict(tensors)
    for name in filter(is_linear, tensors):
        trits, scale = trits_and_scale(tensors[name])
        found[name] = trits * scale.bfloat16().float()
    return found


def quantisation(linear_class: str, mode: str) -> dict[str, Any]:
    """The ``quantization_config`` of transformers' BitNet."""
    return {
        "quant_method": "bitnet",
        "modules_to_not_convert": None,
        "linear_class": linear_class,
        "quantization_mode": mode,
    }


def write(
    folder: Path,
    fields: dict[str, Any],
    tensors: dict[str, torch.Tensor],
    *,
    shards: int = 1,
    generation: dict[str, Any] | None = None,
) -> Path:
    """A folder with config.json, safetensors in one file or with an index, generation_config."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(fields))
    if generation is not None:
        (folder / "generation_config.json").write_text(json.dumps(generation))
    if shards == 1:
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        return folder
    places = {}
    for shard in range(shards):
        name = f"model-{shard + 1:05}-of-{shards:05}.safetensors"
        part = {key: tensors[key] for key in list(tensors)[shard::shards]}
        save_file(part, folder / name, metadata={"format": "pt"})
        places |= dict.fromkeys(part, name)
    index = {"metadata": {"total_size": 1}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


@dataclass(frozen=True, kw_only=True)
class Published:
    """A checkpoint, and a folder that transformers loads as the same model."""

    folder: Path
    oracle: Path
    method: str | None = None
    """The method that its conversion needs."""
    granularity: str = "tensor"
    """Granularity of the image's scales."""
    float_activations: bool = False
    """True if the oracle does not round its activations."""


WIDE = {"hidden_size": 256, "intermediate_size": 384, "num_attention_heads": 4}
"""Sizes of models with groups: two or three in a row."""


def in_blocks(tensor: torch.Tensor, rows: int, columns: int, seed: int) -> torch.Tensor:
    """Ternary float16 weights with a scale for each block, and some zeros."""
    generator = torch.Generator().manual_seed(seed)
    shape = (tensor.shape[0] // rows, tensor.shape[1] // columns)
    scales = (0.05 + 0.1 * torch.rand(shape, generator=generator)).half()
    scales = scales.repeat_interleave(rows, 0).repeat_interleave(columns, 1)
    return tensor.sign() * (tensor.abs() > 0.6 * tensor.std()) * scales


def bonsai(folder: Path, *, tied: bool) -> Published:
    """Ternary Bonsai, unpacked: Qwen3, float16 trits times a scale for each 128 columns.

    Embedding and head are ternary, too; 1.7B and 4B are tied, 8B is not.
    """
    from transformers import Qwen3Config, Qwen3ForCausalLM

    heads = {"num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": 64}
    own = WIDE | heads | {"tie_word_embeddings": tied}
    config = Qwen3Config(**SIZES | own)
    tensors = random_tensors(Qwen3ForCausalLM(config))
    for seed, (name, tensor) in enumerate(tensors.items()):
        if tensor.dim() == 2:
            tensors[name] = in_blocks(tensor, 1, 128, seed)
        else:
            tensors[name] = tensor.half()
    fields = SIZES | own | {"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3"}
    fields |= {"hidden_act": "silu", "attention_bias": False, "rope_theta": 1000000.0}
    fields |= {"sliding_window": None, "use_sliding_window": False, "max_window_layers": 2}
    fields |= {"layer_types": ["full_attention"] * SIZES["num_hidden_layers"], "eos_token_id": 2}
    path = write(folder, fields, tensors)
    return Published(folder=path, oracle=path, granularity="group", float_activations=True)


def trilm(folder: Path) -> Published:
    """TriLM: Llama in float16, every matrix with a scale for each of two shards of its rows."""
    fields, tensors = _llama(**WIDE, num_key_value_heads=2, eos_token_id=0)
    for seed, (name, tensor) in enumerate(tensors.items()):
        if is_linear(name):
            tensors[name] = in_blocks(tensor, tensor.shape[0] // 2, tensor.shape[1], seed)
    path = write(folder, fields, tensors)
    return Published(folder=path, oracle=path, granularity="row", float_activations=True)


def bitcpm(folder: Path, *, tied: bool) -> Published:
    """BitCPM: MiniCPM with scaled embedding, residuals and logits, in groups of 128 columns.

    transformers has no MiniCPM, but Granite, whose four multipliers are free.
    """
    own = WIDE | {"num_key_value_heads": 2, "eos_token_id": [2, 9], "tie_word_embeddings": tied}
    fields, tensors = _llama(**own)
    for seed, (name, tensor) in enumerate(tensors.items()):
        if is_linear(name):
            tensors[name] = in_blocks(tensor, 1, 128, seed).bfloat16()
    half = [1 + 0.05 * index for index in range(32)]
    rope = {"rope_type": "longrope", "long_factor": half, "short_factor": half}
    fields |= {"architectures": ["MiniCPMForCausalLM"], "model_type": "minicpm"}
    scales = {"scale_emb": 12, "scale_depth": 1.4, "dim_model_base": 64, "mup_denominator": 32}
    rope["original_max_position_embeddings"] = 64
    path = write(folder, fields | scales | {"rope_scaling": rope}, tensors)
    granite = {
        "architectures": ["GraniteForCausalLM"],
        "model_type": "granite",
        "embedding_multiplier": 12.0,
        "residual_multiplier": 1.4 / 2**0.5,
        "attention_multiplier": 64**-0.5,
        "logits_scaling": 256 / 64,
        "rope_scaling": rope,
    }
    oracle = write(folder.with_name("oracle"), fields | granite, tensors)
    return Published(folder=path, oracle=oracle, granularity="group", float_activations=True)


def _llama(**fields: Any) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(**SIZES | {"tie_word_embeddings": False} | fields)
    tensors = random_tensors(LlamaForCausalLM(config))
    # As transformers 4 wrote it, with which these were published.
    known = SIZES | {"tie_word_embeddings": False, "hidden_act": "silu", "model_type": "llama"}
    return known | {"architectures": ["LlamaForCausalLM"]} | fields, tensors


def _bitnet(**fields: Any) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    from transformers import BitNetConfig, BitNetForCausalLM

    config = BitNetConfig(**SIZES | {"tie_word_embeddings": True} | fields)
    tensors = random_tensors(BitNetForCausalLM(config))
    known = SIZES | {"tie_word_embeddings": True, "hidden_act": "relu2", "model_type": "bitnet"}
    return known | {"architectures": ["BitNetForCausalLM"]} | fields, tensors


def falcon3(folder: Path, *, eos: Any, generation_eos: Any) -> Published:
    """Falcon3-1.58bit: heads of 256, more of them than fit the width, divided scales."""
    fields, tensors = _llama(
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=256,
        rope_theta=1000042.0,
        eos_token_id=eos,
        max_position_embeddings=64,
    )
    fields |= {"quantization_config": {"quant_method": "bitnet"}, "rope_scaling": None}
    generation = None if generation_eos is None else {"eos_token_id": generation_eos}
    path = write(folder, fields, packed(tensors, divide=True), generation=generation)
    return Published(folder=path, oracle=path)


def falcon_e(folder: Path, *, revision: str) -> Published:
    """Falcon-E in one of its revisions: main, bfloat16 or prequantized."""
    fields, tensors = _llama(num_attention_heads=4, num_key_value_heads=2, eos_token_id=2)
    if revision == "main":
        fields["quantization_config"] = {"quant_method": "bitnet"}
        path = write(folder, fields, packed(tensors, divide=True))
        return Published(folder=path, oracle=path)
    online = fields | {"quantization_config": quantisation("autobitlinear", "online")}
    if revision == "prequantized":  # looks like any float model
        return Published(
            folder=write(folder, fields, tensors),
            oracle=write(folder.with_name("oracle"), online, tensors),
            method="absmean",
        )
    offline = fields | {"quantization_config": quantisation("autobitlinear", "offline")}
    whole = dequantised(tensors)
    halves = {name: tensor.bfloat16() for name, tensor in whole.items() if is_linear(name)}
    return Published(
        folder=write(folder, fields, tensors | halves),
        # The same model with int8 activations, as it was trained.
        oracle=write(folder.with_name("oracle"), offline, _repacked(whole)),
    )


def _repacked(whole: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Trits times scale as packed trits with a multiplied scale."""
    from transformers.integrations.bitnet import pack_weights

    found = dict(whole)
    for name in filter(is_linear, whole):
        scale = whole[name].abs().max()
        found[name] = pack_weights(whole[name].sign())
        found[f"{name}_scale"] = scale.reshape(1)
    return found


def llama3_8b(folder: Path) -> Published:
    """HF1BitLLM/Llama3-8B-1.58: GQA of 4, llama3 RoPE, several ends, shards."""
    fields, tensors = _llama(
        num_attention_heads=8,
        num_key_value_heads=2,
        head_dim=16,
        rope_theta=500000.0,
        rope_scaling={
            "factor": 8.0,
            "high_freq_factor": 4.0,
            "low_freq_factor": 1.0,
            "original_max_position_embeddings": 32,
            "rope_type": "llama3",
        },
        eos_token_id=[2, 8, 9],
    )
    fields["quantization_config"] = {"quant_method": "bitnet"}
    generation = {"eos_token_id": [2, 10], "do_sample": True, "temperature": 0.6}
    path = write(folder, fields, packed(tensors, divide=True), shards=3, generation=generation)
    text = (path / "config.json").read_text()  # the published file has the last field twice
    twice = json.dumps({"quantization_config": fields["quantization_config"]})[1:-1]
    (path / "config.json").write_text(f"{text[:-1]}, {twice}}}")
    return Published(folder=path, oracle=path)


def bitnet_2b(folder: Path, *, layout: str) -> Published:
    """microsoft/bitnet-b1.58-2B-4T: packed, bf16 masters, or with divided scales."""
    fields, tensors = _bitnet(
        num_attention_heads=4, num_key_value_heads=1, rope_theta=500000.0, eos_token_id=2
    )
    if layout == "bf16":
        fields["quantization_config"] = quantisation("autobitlinear", "online")
        tensors = {
            name: tensor.bfloat16() if is_linear(name) else tensor
            for name, tensor in tensors.items()
        }
    elif layout == "packed":
        fields["quantization_config"] = quantisation("autobitlinear", "offline")
        tensors = packed(tensors, divide=False)
    else:
        fields["quantization_config"] = quantisation("bitlinear", "offline")
        tensors = packed(tensors, divide=True)
    path = write(folder, fields, tensors)
    return Published(folder=path, oracle=path)


def bitnet_1bitllm(
    folder: Path, *, heads: int, head_size: int, save: Callable[..., Path] = write
) -> Published:
    """1bitLLM/bitnet_b1_58-large (heads of 96) and -3B (heads of 100): tied masters, RoPE buffers.

    The oracle is transformers' BitNet with the same tensors under its own names.
    """
    fields, tensors = _bitnet(
        hidden_size=heads * head_size,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        hidden_act="silu",
        rope_theta=10000.0,
        eos_token_id=2,
    )
    oracle = fields | {"quantization_config": quantisation("autobitlinear", "online")}
    path = write(folder.with_name("oracle"), oracle, tensors)
    names = {"attn_sub_norm": "inner_attn_ln", "ffn_sub_norm": "ffn_layernorm"}
    own = {}
    for name, tensor in tensors.items():
        for theirs, ours in names.items():
            name = name.replace(theirs, ours)
        own[name] = tensor
    for layer in range(SIZES["num_hidden_layers"]):
        own[f"model.layers.{layer}.self_attn.rotary_emb.inv_freq"] = torch.ones(head_size // 2)
    own["lm_head.weight"] = own["model.embed_tokens.weight"].clone()  # a tied copy
    fields |= {"architectures": ["BitnetForCausalLM"], "model_type": "llama"}
    fields |= {"weight_bits": 1, "input_bits": 8, "rope_scaling": None}
    return Published(folder=save(folder, fields, own), oracle=path)


def write_pickle(folder: Path, fields: dict[str, Any], tensors: dict[str, torch.Tensor]) -> Path:
    """A folder with ``pytorch_model.bin``."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(fields))
    torch.save(tensors, folder / "pytorch_model.bin")
    return folder


PUBLISHED: dict[str, Callable[[Path], Published]] = {
    "Falcon3-1.58bit": lambda folder: falcon3(folder, eos=11, generation_eos=11),
    "Falcon-E main": lambda folder: falcon_e(folder, revision="main"),
    "Falcon-E bfloat16": lambda folder: falcon_e(folder, revision="bfloat16"),
    "Falcon-E prequantized": lambda folder: falcon_e(folder, revision="prequantized"),
    "Llama3-8B-1.58": llama3_8b,
    "bitnet 2B-4T packed": lambda folder: bitnet_2b(folder, layout="packed"),
    "bitnet 2B-4T bf16": lambda folder: bitnet_2b(folder, layout="bf16"),
    "bitnet 2B-4T divided": lambda folder: bitnet_2b(folder, layout="divided"),
    "bitnet large": lambda folder: bitnet_1bitllm(folder, heads=2, head_size=96),
    "bitnet 3B": lambda folder: bitnet_1bitllm(folder, heads=2, head_size=100, save=write_pickle),
    "Ternary Bonsai 1.7B": lambda folder: bonsai(folder, tied=True),
    "Ternary Bonsai 8B": lambda folder: bonsai(folder, tied=False),
    "TriLM": trilm,
    "BitCPM tied": lambda folder: bitcpm(folder, tied=True),
    "BitCPM": lambda folder: bitcpm(folder, tied=False),
}
"""Published model to the function that writes a small one of it into a folder."""
