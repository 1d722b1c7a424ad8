"""``config.json`` of a BitNet checkpoint."""

from collections.abc import Iterator
from typing import Any

from tercel.config import ModelConfig
from tercel.errors import TercelError
from tercel_export.huggingface.names import ARCHITECTURES
from tercel_export.huggingface.rope import rope_parameters

__all__ = ["huggingface_config"]


def huggingface_config(config: ModelConfig) -> dict[str, Any]:
    """The content of ``config.json``.

    Raises
    ------
    TercelError
        If the model's scaled RoPE is of a kind that the format does not have.
    """
    if problems := list(_problems(config)):
        raise TercelError(f"Hugging Face's packed layout cannot hold {config.name}: {problems[0]}")
    architecture, model_type = ARCHITECTURES[config.sub_norms]
    ends = list(config.eos_tokens)
    rope = rope_parameters(config)
    return {
        "architectures": [architecture],
        "model_type": model_type,
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "intermediate_size": config.ffn_size,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_size,
        "hidden_act": config.activation,
        "max_position_embeddings": config.context,
        "rms_norm_eps": config.norm_epsilon,
        "rope_theta": config.rope_base,
        "rope_parameters": rope,
        "attention_bias": False,
        "tie_word_embeddings": config.tied_head,
        "bos_token_id": config.bos_token,
        "eos_token_id": ends[0] if len(ends) == 1 else ends or None,
        "torch_dtype": "float32",
        "quantization_config": {
            "quant_method": "bitnet",
            "linear_class": "autobitlinear",
            "quantization_mode": "offline",
            "modules_to_not_convert": ["lm_head"],
        },
    }


def _problems(config: ModelConfig) -> Iterator[str]:
    for name, (rows, _) in config.linears().items():
        if rows % 4:
            yield f"it packs four rows into one, but {name} has {rows} rows"
