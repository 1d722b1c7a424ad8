"""Model config from the ``config.json`` of a Hugging Face checkpoint."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tercel.config import ModelConfig
from tercel.errors import TercelError
from tercel_export.huggingface.names import SUB_NORMS as SUB_NORMS_OF_BITNET
from tercel_quant.importers.end_tokens import end_tokens
from tercel_quant.importers.fields import OneOrMore, describe
from tercel_quant.importers.head_padding import HeadPadding
from tercel_quant.importers.huggingface_fields import CONFIG, MINICPM
from tercel_quant.importers.json_file import read_object
from tercel_quant.importers.rope_scaling import rope_factors
from tercel_quant.importers.sizes import TOKEN
from tercel_quant.importers.unsupported import unsupported_parts

__all__ = ["HuggingFaceConfig", "read_config"]

SUB_NORMS = {
    "LlamaForCausalLM": {},
    "BitnetForCausalLM": {
        "attention_sub_norm": "self_attn.inner_attn_ln",
        "mlp_sub_norm": "mlp.ffn_layernorm",
    },
    "BitNetForCausalLM": SUB_NORMS_OF_BITNET,
    "Qwen3ForCausalLM": {},
    "MiniCPMForCausalLM": {},
}
"""Architecture to the names of its sub-norms; 1bitLLM writes Bitnet, Microsoft writes BitNet."""

TABLES = {"MiniCPMForCausalLM": MINICPM}
"""Architecture to its fields, where they are not :data:`CONFIG`."""

MASTERS = ("BitnetForCausalLM", "BitNetForCausalLM")
"""Architectures whose float weights are masters of ternary ones."""

ENCODINGS = {
    ("bitlinear", "offline"): "divided",
    ("autobitlinear", "offline"): "multiplied",
    ("autobitlinear", "online"): "absmean",
}
"""Encoding of the weights by ``linear_class`` and ``quantization_mode`` of transformers' BitNet."""


@dataclass(frozen=True, kw_only=True)
class HuggingFaceConfig:
    """A model config and the encoding of the checkpoint's weights."""

    model: ModelConfig
    architecture: str
    encoding: str
    """``float``: an ordinary model. ``absmean``: float masters of ternary weights. ``divided`` and
    ``multiplied``: packed trits whose product is divided or multiplied by ``weight_scale``."""

    padding: HeadPadding | None = None
    """Padding of the heads to those of the model config."""

    factors: Mapping[str, float] = field(default_factory=dict)
    """Factors that the model applies beside its weights, by the canonical name of the tensor that
    takes each (without its layer); see :func:`_factors_of_minicpm`."""

    @property
    def sub_norms(self) -> dict[str, str]:
        """Canonical name of a sub-norm to its name within a layer of the checkpoint."""
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
        If a field is missing, unknown or breaks its rule, or the model has an unsupported feature;
        the message names it.
    """
    found, ends = read_object(path), _further_ends(path.with_name("generation_config.json"))
    try:
        return _config(found, ends, name)
    except TercelError as error:
        raise TercelError(f"{path}: {error}") from None


def _further_ends(path: Path) -> list[int] | None:
    """The end tokens of a ``generation_config.json``; all other fields are ignored."""
    found = read_object(path).get("eos_token_id") if path.exists() else None
    try:
        return None if found is None else OneOrMore(TOKEN).check("eos_token_id", found)
    except TercelError as error:
        raise TercelError(f"{path}: {error}") from None


def _config(found: dict[str, Any], further_ends: list[int] | None, name: str) -> HuggingFaceConfig:
    # Checked first, because other architectures have other fields.
    architectures = found.get("architectures") or [None]
    architecture = architectures[0] if isinstance(architectures, list) else architectures
    if not isinstance(architecture, str) or architecture not in SUB_NORMS:
        parts = unsupported_parts(architecture, found) if isinstance(architecture, str) else []
        raise TercelError(
            f"the architecture must be one of {', '.join(SUB_NORMS)}, not {describe(architecture)}"
            + (f", which has {', '.join(parts)}" if parts else "")
        )
    fields = TABLES.get(architecture, CONFIG).read(found)
    ropes = {name: fields[name] for name in ("rope_parameters", "rope_scaling")}
    bases = [rope.get("rope_theta") for rope in ropes.values()] + [fields["rope_theta"], 10000.0]
    base = next(base for base in bases if base is not None)
    heads = fields["num_attention_heads"]
    size = fields["head_dim"] or _head_size(fields["hidden_size"], heads)
    context = fields["max_position_embeddings"]
    factors = _factors(ropes, base=base, size=size, context=context)
    padding = HeadPadding.of(size)
    qk_norm = architecture == "Qwen3ForCausalLM"
    if padding is not None and qk_norm:
        raise TercelError(
            f"heads of {size} elements with norms of queries and keys are not supported: their "
            "size must be a multiple of 16"
        )
    if padding is not None:
        size, factors = padding.padded, padding.rope_factors(factors, base=base)
    model = ModelConfig(
        name=name,
        layers=fields["num_hidden_layers"],
        hidden_size=fields["hidden_size"],
        ffn_size=fields["intermediate_size"],
        heads=heads,
        kv_heads=fields["num_key_value_heads"] or heads,
        head_size=size,
        vocab_size=fields["vocab_size"],
        context=context,
        rope_base=base,
        rope_factors=factors,
        norm_epsilon=fields["rms_norm_eps"],
        activation=fields["hidden_act"],
        sub_norms=bool(SUB_NORMS[architecture]),
        tied_head=fields["tie_word_embeddings"],
        qk_norm=qk_norm,
        bos_token=_first(fields["bos_token_id"]),
        eos_tokens=end_tokens(fields["eos_token_id"], further_ends),
    )
    return HuggingFaceConfig(
        model=model,
        architecture=architecture,
        encoding=_encoding(fields["quantization_config"], architecture),
        padding=padding,
        factors=_factors_of_minicpm(fields) if architecture == "MiniCPMForCausalLM" else {},
    )


def _head_size(hidden_size: int, heads: int) -> int:
    if hidden_size % heads:
        raise TercelError(
            f"num_attention_heads must divide hidden_size, but {heads} does not divide "
            f"{hidden_size}, and head_dim is not given"
        )
    return hidden_size // heads


def _first(tokens: list[int] | None) -> int | None:
    """The first of a list of token ids, if any."""
    return tokens[0] if tokens else None


def _factors_of_minicpm(fields: Mapping[str, Any]) -> dict[str, float]:
    """Factors of a MiniCPM by the tensor that takes them.

    The embedding is multiplied by ``scale_emb``, what attention and MLP add by
    ``scale_depth / sqrt(layers)``, and the final norm's output by ``dim_model_base / hidden_size``.
    The rows of a tied head have the embedding's factor, which the norm takes back.
    """
    branch = fields["scale_depth"] / math.sqrt(fields["num_hidden_layers"])
    norm = fields["dim_model_base"] / fields["hidden_size"]
    if fields["tie_word_embeddings"]:
        norm /= fields["scale_emb"]
    return {"embedding": fields["scale_emb"], "norm": norm, "o": branch, "down": branch}


def _factors(
    ropes: dict[str, dict[str, Any]], *, base: float, size: int, context: int
) -> tuple[float, ...]:
    """The divisors of the RoPE frequencies, of whichever field scales them.

    Raises
    ------
    TercelError
        If both do, differently.
    """
    found = {
        factors
        for field, rope in ropes.items()
        if (factors := rope_factors(field, rope, base=base, size=size, context=context))
    }
    if len(found) > 1:
        raise TercelError(f"{' and '.join(ropes)} scale RoPE differently; delete one of them")
    return found.pop() if found else ()


def _encoding(quantisation: dict[str, Any] | None, architecture: str) -> str:
    """The encoding of the linears; see :class:`HuggingFaceConfig`."""
    if quantisation is None:
        return "absmean" if architecture in MASTERS else "float"
    # The defaults are those of transformers' BitNetQuantConfig.
    key = quantisation["linear_class"], quantisation["quantization_mode"]
    if key not in ENCODINGS:
        raise TercelError(
            f"the linear_class {key[0]!r} in the quantization_mode {key[1]!r} is not known; "
            "supported are bitlinear offline and autobitlinear offline or online"
        )
    return ENCODINGS[key]
