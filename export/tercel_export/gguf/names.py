"""GGUF's names of the canonical tensors."""

__all__ = ["FREQUENCIES", "PARTS", "TOP", "source_name"]

PARTS = {
    "q": "attn_q",
    "k": "attn_k",
    "v": "attn_v",
    "o": "attn_output",
    "gate": "ffn_gate",
    "up": "ffn_up",
    "down": "ffn_down",
    "attention_norm": "attn_norm",
    "mlp_norm": "ffn_norm",
    "attention_sub_norm": "attn_sub_norm",
    "mlp_sub_norm": "ffn_sub_norm",
    "q_norm": "attn_q_norm",
    "k_norm": "attn_k_norm",
}
TOP = {"embedding": "token_embd", "head": "output", "norm": "output_norm"}
FREQUENCIES = "rope_freqs.weight"


def source_name(name: str) -> str:
    """The name of a canonical tensor in a file."""
    if name in TOP:
        return f"{TOP[name]}.weight"
    _, layer, part = name.split(".")
    return f"blk.{layer}.{PARTS[part]}.weight"
