"""Names of the parts of foreign models that the architecture does not have."""

from collections.abc import Mapping
from typing import Any

__all__ = ["part_of_field", "unsupported_parts"]

ATTENTION_NORMS = "norms of queries and keys"
EXPERTS = "mixtures of experts"
LINEAR_ATTENTION = "layers of linear attention"
RECURRENCE = "recurrent layers"
ROTATIONS = "Hadamard rotations"
SPARSE = "sparse formats (3:4)"
WINDOWS = "sliding windows"

FIELDS = {
    "hadamard": ROTATIONS,
    "rotat": ROTATIONS,
    "sherry": SPARSE,
    "spars": "sparse formats",
    "expert": EXPERTS,
    "moe_": EXPERTS,
    "linear_attention": LINEAR_ATTENTION,
    "linear_conv": LINEAR_ATTENTION,
    "linear_key": LINEAR_ATTENTION,
    "linear_num": LINEAR_ATTENTION,
    "linear_value": LINEAR_ATTENTION,
    "mamba": RECURRENCE,
    "ssm": RECURRENCE,
    "qk_norm": ATTENTION_NORMS,
    "qk_layernorm": ATTENTION_NORMS,
    "sliding_window": WINDOWS,
    "_bias": "biases",
    "scale_emb": "scaled embeddings",
    "scale_depth": "scaled residuals",
    "softcap": "soft caps",
}
"""Substring of a metadata field's name to the part that the field turns on."""

ARCHITECTURES = {
    "moe": EXPERTS,
    "mixtral": EXPERTS,
    "deepseek": EXPERTS,
    "qwen3next": LINEAR_ATTENTION,
    "qwen3_5": LINEAR_ATTENTION,
    "qwen3_8": LINEAR_ATTENTION,
    "hunyuan": ATTENTION_NORMS,
    "olmo2": ATTENTION_NORMS,
    "qwen2": "biases",
    "minicpm3": "latent attention",
    "gemma": "scaled embeddings and norms after attention and MLP",
    "hgrn": RECURRENCE,
    "mamba": RECURRENCE,
    "falconh1": RECURRENCE,
    "rwkv": RECURRENCE,
    "mistral": WINDOWS,
}
"""Substring of an architecture's name, in lower case, to a part that all its models have."""

VALUES = {"linear_attention": LINEAR_ATTENTION, "sliding_attention": WINDOWS, "sherry": SPARSE}
"""A field's value, or one of its list, to the part that it names."""


def part_of_field(name: str, value: Any) -> str | None:
    """The unsupported part that a field turns on; ``None`` if it turns none on, or is not known."""
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, str) and (part := VALUES.get(each.lower())):
            return part
    one_expert = "expert" in name.lower() and value == 1 and value is not True
    if not value or isinstance(value, str) or one_expert:
        return None
    return next((part for text, part in FIELDS.items() if text in name.lower()), None)


def unsupported_parts(architecture: str, found: Mapping[str, Any]) -> list[str]:
    """The unsupported parts of a model, by the name of its architecture and all its fields."""
    lower = architecture.lower()
    parts = [next((part for text, part in ARCHITECTURES.items() if text in lower), None)]
    switched_off = found.get("use_sliding_window") is False
    for name, value in found.items():
        nested = value.items() if isinstance(value, dict) else [(name, value)]
        for field, each in nested:
            part = part_of_field(field, each)
            parts.append(None if part == WINDOWS and switched_off else part)
    return [part for part in dict.fromkeys(parts) if part is not None]
