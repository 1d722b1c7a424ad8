"""Small random models of transformers, saved in the layouts in which checkpoints are published."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from tercel.numerics import quantise_rows

SIZES: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 160,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 320,
    "max_position_embeddings": 64,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": None,
    "rms_norm_eps": 1e-5,
}
TEXT = (
    "the weights are one tape played once per pass and the memory never waits for it 1 2 3\n" * 30
)


@pytest.fixture(autouse=True)
def _eager():
    """transformers compiles parts of its BitNet; running them eagerly is the same and faster."""
    with torch.compiler.set_stance("force_eager"):
        yield


@pytest.fixture(scope="session")
def text() -> str:
    return TEXT


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    """Byte-level BPE of 300 ids."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        [TEXT],
        trainers.BpeTrainer(
            vocab_size=300,
            special_tokens=["<|endoftext|>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    return tokenizer


@torch.no_grad()
def randomise(model: torch.nn.Module, seed: int = 0) -> None:
    """Weights at which every part of the model matters; embedding rows that int8 can hold."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if parameter.dim() == 1:
            parameter.uniform_(0.5, 1.5, generator=generator)
        elif "embed" in name or "lm_head" in name:
            rows = torch.randn(parameter.shape, generator=generator) * 0.2
            values, scales = quantise_rows(rows.numpy())
            parameter.copy_(torch.from_numpy(values * scales[:, None]))
        else:
            parameter.normal_(0, 0.1, generator=generator)


def tensors_of(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    tied = model.config.tie_word_embeddings
    return {
        name: tensor.clone()
        for name, tensor in model.state_dict().items()
        if not (tied and name == "lm_head.weight")
    }


def write_folder(folder: Path, config: dict[str, Any], tensors: dict[str, torch.Tensor]) -> Path:
    """A checkpoint of one file."""
    folder.mkdir(exist_ok=True, parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def config_of(model: torch.nn.Module, architecture: str) -> dict[str, Any]:
    return json.loads(model.config.to_json_string(use_diff=False)) | {
        "architectures": [architecture]
    }


@pytest.fixture
def llama(tmp_path: Path, tokenizer: Tokenizer) -> Callable[..., tuple[Path, torch.nn.Module]]:
    """Make an ordinary Llama: its folder and its model."""
    from transformers import LlamaConfig, LlamaForCausalLM

    def make(*, tied: bool = True, seed: int = 0, **fields: Any) -> tuple[Path, torch.nn.Module]:
        config = LlamaConfig(**SIZES | {"tie_word_embeddings": tied} | fields)
        model = LlamaForCausalLM(config).eval()
        randomise(model, seed)
        folder = tmp_path / "llama"
        write_folder(folder, config_of(model, "LlamaForCausalLM"), tensors_of(model))
        tokenizer.save(str(folder / "tokenizer.json"))
        return folder, model

    return make


@pytest.fixture
def bitnet(tmp_path: Path) -> Callable[..., Path]:
    """Make a folder in the layout of bitnet-b1.58-2B-4T."""
    from transformers import BitNetConfig, BitNetForCausalLM
    from transformers.integrations.bitnet import pack_weights

    def make(
        linear_class: str, mode: str, *, activation: str = "relu2", change: dict | None = None
    ) -> Path:
        config = BitNetConfig(
            **SIZES | {"tie_word_embeddings": True, "hidden_act": activation, "head_dim": 16}
        )
        model = BitNetForCausalLM(config)
        randomise(model)
        tensors = {}
        for name, tensor in tensors_of(model).items():
            if "_proj" in name and mode == "offline":
                scale = tensor.abs().mean()
                tensors[name] = pack_weights((tensor / scale).round().clamp(-1, 1))
                factor = scale if linear_class == "autobitlinear" else 1 / scale
                tensors[f"{name}_scale"] = factor.reshape(1)
            else:
                tensors[name] = tensor
        fields = config_of(model, "BitNetForCausalLM")
        fields["quantization_config"] = {
            "quant_method": "bitnet",
            "linear_class": linear_class,
            "quantization_mode": mode,
        }
        return write_folder(tmp_path / f"{linear_class}-{mode}", fields, tensors | (change or {}))

    return make
