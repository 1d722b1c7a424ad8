"""From the ``config.json`` of a Hugging Face checkpoint to a model config."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tercel.config import ModelConfig
from tercel.errors import TercelError
from tercel_quant.importers.end_tokens import end_tokens

__all__ = ["HuggingFaceConfig", "read_config"]

ENCODINGS = ("float", "absmean", "divided", "multiplied")

SUB_NORMS = {
    "LlamaForCausalLM": {},
    "BitnetForCausalLM": {
        "attention_sub_norm": "self_attn.inner_attn_ln",
        "mlp_sub_norm": "mlp.ffn_layernorm",
    },
    "BitNetForCausalLM": {
        "attention_sub_norm": "self_attn.attn_sub_norm",
        "mlp_sub_norm": "mlp.ffn_sub_norm",
    },
}
"""Architecture to the names of its sub-norms; 1bitLLM writes Bitnet, Microsoft writes BitNet."""


@dataclass(frozen=True, kw_only=True)
class HuggingFaceConfig:
    """A model config and how the checkpoint stores it."""

    model: ModelConfig
    architecture: str
    encoding: str
    """``float``: an ordinary model. ``absmean``: float masters of ternary weights. ``divided`` and
    ``multiplied``: packed trits whose product is divided or multiplied by ``weight_scale``."""

    @property
    def sub_norms(self) -> dict[str, str]:
        """Canonical sub-norm to its name within a layer."""
        return SUB_NORMS[self.architecture]


def read_config(path: Path, name: str) -> HuggingFaceConfig:
    """Read and check a ``config.json``, and the end tokens of ``generation_config.json``.

    Parameters
    ----------
    path : Path
    name : str
        Name of the resulting model config.

    Raises
    ------
    TercelError
        If a field is missing or the model has a part that tercel has not: the message names it.
    """
    fields = _read_object(path)
    generation = path.with_name("generation_config.json")
    generation_fields = _read_object(generation) if generation.exists() else {}
    architecture = (fields.get("architectures") or [None])[0]
    if architecture not in SUB_NORMS:
        raise TercelError(
            f"{path}: the architecture must be one of {', '.join(SUB_NORMS)}, not {architecture!r}"
        )
    encoding = _encoding(fields, architecture, path)
    _refuse_parts(fields, path)
    rope = fields.get("rope_parameters") or {}
    heads = _need(fields, "num_attention_heads", path)
    hidden_size = _need(fields, "hidden_size", path)
    model = ModelConfig(
        name=name,
        layers=_need(fields, "num_hidden_layers", path),
        hidden_size=hidden_size,
        ffn_size=_need(fields, "intermediate_size", path),
        heads=heads,
        kv_heads=fields.get("num_key_value_heads") or heads,
        head_size=fields.get("head_dim") or hidden_size // heads,
        vocab_size=_need(fields, "vocab_size", path),
        context=_need(fields, "max_position_embeddings", path),
        rope_base=float(rope.get("rope_theta") or fields.get("rope_theta") or 10000.0),
        norm_epsilon=_need(fields, "rms_norm_eps", path),
        activation=_need(fields, "hidden_act", path),
        sub_norms=bool(SUB_NORMS[architecture]),
        tied_head=bool(fields.get("tie_word_embeddings", False)),
        bos_token=_first(fields.get("bos_token_id")),
        eos_tokens=end_tokens(fields.get("eos_token_id"), generation_fields.get("eos_token_id")),
    )
    return HuggingFaceConfig(model=model, architecture=architecture, encoding=encoding)


def _read_object(path: Path) -> dict[str, Any]:
    try:
        fields = json.loads(path.read_text())
    except OSError as error:
        raise TercelError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise TercelError(f"{path} is not valid JSON: {error}") from None
    if not isinstance(fields, dict):
        raise TercelError(f"{path} must hold a JSON object, not {type(fields).__name__}")
    return fields


def _need(fields: dict[str, Any], field: str, path: Path) -> Any:
    if field not in fields:
        raise TercelError(f"{path} lacks the field {field}")
    return fields[field]


def _first(tokens: int | list[int] | None) -> int | None:
    """The first of a list of token ids."""
    return (tokens[0] if tokens else None) if isinstance(tokens, list) else tokens


def _refuse_parts(fields: dict[str, Any], path: Path) -> None:
    """Raise where the model has a part that a :class:`ModelConfig` cannot say."""
    for field in ("attention_bias", "mlp_bias"):
        if fields.get(field):
            raise TercelError(f"{path}: {field} is set, but biases are not supported")
    for field in ("rope_scaling", "rope_parameters"):
        rope = fields.get(field) or {}
        kind = rope.get("rope_type") or rope.get("type") or "default"
        if kind != "default":
            raise TercelError(
                f"{path}: {field} asks for the RoPE scaling type {kind!r}, "
                "but only unscaled RoPE is supported"
            )
        if (part := rope.get("partial_rotary_factor", 1)) != 1:
            raise TercelError(f"{path}: partial_rotary_factor must be 1, not {part!r}")
    if (part := fields.get("partial_rotary_factor", 1)) != 1:
        raise TercelError(f"{path}: partial_rotary_factor must be 1, not {part!r}")


def _encoding(fields: dict[str, Any], architecture: str, path: Path) -> str:
    """How the linears are stored: one of :data:`ENCODINGS`."""
    for field, bits in (("weight_bits", 1), ("input_bits", 8)):
        if fields.get(field, bits) != bits:
            raise TercelError(f"{path}: {field} must be {bits}, not {fields[field]!r}")
    quantisation = fields.get("quantization_config")
    if quantisation is None:
        return "float" if architecture == "LlamaForCausalLM" else "absmean"
    method = quantisation.get("quant_method")
    if method != "bitnet":
        raise TercelError(f"{path}: quant_method must be 'bitnet' or absent, not {method!r}")
    if quantisation.get("use_rms_norm"):
        raise TercelError(
            f"{path}: use_rms_norm is set, but a norm inside every linear is not supported"
        )
    # The defaults are those of transformers' BitNetQuantConfig.
    kind = quantisation.get("linear_class", "bitlinear")
    mode = quantisation.get("quantization_mode", "offline")
    encodings = {
        ("bitlinear", "offline"): "divided",
        ("autobitlinear", "offline"): "multiplied",
        ("autobitlinear", "online"): "absmean",
    }
    if (kind, mode) not in encodings:
        raise TercelError(
            f"{path}: the linear_class {kind!r} in the quantization_mode {mode!r} is not known; "
            "supported are bitlinear offline and autobitlinear offline or online"
        )
    return encodings[kind, mode]
