"""Hugging Face's names of the canonical tensors."""

from tercel.config import ModelConfig

__all__ = [
    "ARCHITECTURES",
    "LINEARS",
    "NORMS",
    "QK_NORMS",
    "SUB_NORMS",
    "TOP",
    "source_name",
    "tensor_names",
]

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
}
SUB_NORMS = {
    "attention_sub_norm": "self_attn.attn_sub_norm",
    "mlp_sub_norm": "mlp.ffn_sub_norm",
}
"""Those of ``BitNetForCausalLM``."""
QK_NORMS = {
    "q_norm": "self_attn.q_norm",
    "k_norm": "self_attn.k_norm",
}
"""Those of ``Qwen3ForCausalLM``."""
TOP = {"embedding": "model.embed_tokens", "head": "lm_head", "norm": "model.norm"}

ARCHITECTURES = {False: ("LlamaForCausalLM", "llama"), True: ("BitNetForCausalLM", "bitnet")}
"""Architecture and model type of models without and with sub-norms."""


def source_name(name: str) -> str:
    """The name of a canonical tensor, without the suffix ``weight_scale`` of a matrix."""
    if name in TOP:
        return f"{TOP[name]}.weight"
    _, layer, part = name.split(".")
    return f"model.layers.{layer}.{(LINEARS | NORMS | SUB_NORMS)[part]}.weight"


def tensor_names(config: ModelConfig) -> list[str]:
    """Canonical names of all tensors, in the order of the model."""
    layers = [
        f"layers.{layer}.{part}"
        for layer in range(config.layers)
        for part in (*config.linears(), *config.norms())
    ]
    return ["embedding", *layers, "norm", *([] if config.tied_head else ["head"])]
