"""Model config from the metadata of a GGUF file."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tercel.config import ModelConfig
from tercel.errors import TercelError
from tercel_quant.importers.end_tokens import gguf_end_tokens, gguf_first_token
from tercel_quant.importers.fields import Choice, Field, FieldTable, Fixed, Number, Text, describe
from tercel_quant.importers.head_padding import HeadPadding
from tercel_quant.importers.rope_scaling import rope_factors
from tercel_quant.importers.sizes import (
    CONTEXT,
    EPSILON,
    LAYERS,
    ROPE_BASE,
    VOCABULARY,
    WIDTH,
)

__all__ = ["ARCHITECTURES", "GgufConfig", "read_config"]

QWEN3 = "qwen3"
ARCHITECTURES = {
    "llama": "silu",
    QWEN3: "silu",
    "bitnet": "silu",
    "bitnet-b1.58": "relu2",
    "bitnet-25": "relu2",
}
"""Supported architectures to the activation of their graphs where the file names none.

The last two are bitnet.cpp's for bitnet-b1.58-2B-4T. All that are called after BitNet have
sub-norms, ``qwen3`` has norms of queries and keys.
"""

ACTIVATIONS = {
    "silu": "silu",
    "swish": "silu",
    "swiglu": "silu",
    "relu2": "relu2",
    "relu_sqr": "relu2",
    "relu_squared": "relu2",
}

REMEDY = "if it does not, leave it out: `gguf-new-metadata --remove-metadata {name} IN OUT`"

ARCHITECTURE_KEYS = FieldTable(
    fields={
        "block_count": Field(LAYERS, required=True),
        "embedding_length": Field(WIDTH, required=True),
        "feed_forward_length": Field(WIDTH, required=True),
        "context_length": Field(CONTEXT, required=True),
        "vocab_size": Field(VOCABULARY),
        "hidden_activation": Field(Choice(ACTIVATIONS)),
        "attention.head_count": Field(WIDTH, required=True),
        "attention.head_count_kv": Field(WIDTH),
        "attention.key_length": Field(WIDTH),
        "attention.value_length": Field(WIDTH),
        "attention.layer_norm_rms_epsilon": Field(EPSILON, required=True),
        "attention.causal": Field(Fixed((True,), "attention to later tokens is")),
        "attention.sliding_window": Field(Fixed((0,), "sliding windows are")),
        "attention.clamp_kqv": Field(Fixed((0,), "clamped queries, keys and values are")),
        "attention.max_alibi_bias": Field(Fixed((0,), "ALiBi is")),
        "attention.scale": Field(Fixed((0,), "attention with a scale of its own is")),
        "attn_logit_softcapping": Field(Fixed((0,), "soft caps of scores are")),
        "final_logit_softcapping": Field(Fixed((0,), "soft caps of logits are")),
        "logit_scale": Field(Fixed((0, 1), "scaled logits are")),
        "embedding_scale": Field(Fixed((0, 1), "scaled embeddings are")),
        "residual_scale": Field(Fixed((0, 1), "scaled residuals are")),
        "use_parallel_residual": Field(Fixed((False,), "attention beside the MLP is")),
        "expert_count": Field(Fixed((0,), "mixtures of experts are")),
        "expert_used_count": Field(Fixed((0,), "mixtures of experts are")),
        "leading_dense_block_count": Field(Fixed((0,), "mixtures of experts are")),
        "nextn_predict_layers": Field(Fixed((0,), "layers that predict further tokens are")),
        "pooling_type": Field(Fixed((0,), "models of embeddings are")),
        "tensor_data_layout": Field(Fixed(("Meta AI original pth",), "other orders of rows are")),
        "rope.freq_base": Field(ROPE_BASE, 10000.0),
        "rope.dimension_count": Field(WIDTH),
        "rope.scale_linear": Field(Fixed((0, 1), "scaled RoPE is")),
        "rope.scaling.type": Field(Text(), "none"),
        "rope.scaling.factor": Field(Number(0, 1e6), 1.0),
        "rope.scaling.attn_factor": Field(Fixed((1,), "scaled RoPE is")),
    },
    # Parameters of an unsupported scaling, and of a norm that the model does not use.
    harmless=frozenset(
        {
            "rope.scaling.original_context_length",
            "rope.scaling.finetuned",
            "attention.layer_norm_epsilon",
        }
    ),
    harmless_prefixes=("rope.scaling.yarn_",),
    remedy=REMEDY,
)

NAMESPACES = ("general.", "tokenizer.", "split.", "quantize.", "mradermacher.")
"""Prefixes of keys that do not change what the model computes, or are read elsewhere."""
OTHER_KEYS = FieldTable(
    fields={},
    remedy=REMEDY,
    harmless_prefixes=NAMESPACES,
)


@dataclass(frozen=True, kw_only=True)
class GgufConfig:
    """The model of a file, without what its tensors say."""

    model: ModelConfig
    padding: HeadPadding | None
    """The padding of the model's heads, if the file's have another size."""


def read_config(metadata: Mapping[str, Any], *, name: str, tied_head: bool) -> GgufConfig:
    """A model config from GGUF metadata.

    Parameters
    ----------
    metadata : mapping
        Keys and values of the file.
    name : str
        Name of the model config.
    tied_head : bool
        True if the file has no ``output.weight``.

    Raises
    ------
    TercelError
        If a key is missing, unknown or breaks its rule, or the model has an unsupported feature;
        the message names it.
    """
    architecture = metadata.get("general.architecture")
    if not isinstance(architecture, str) or architecture not in ARCHITECTURES:
        raise TercelError(
            f"general.architecture must be one of {', '.join(ARCHITECTURES)}, "
            f"not {describe(architecture)}"
        )
    if (kind := metadata.get("general.type", "model")) != "model":
        raise TercelError(f"general.type must be 'model', not {describe(kind)}")
    prefix = f"{architecture}."
    keys = ARCHITECTURE_KEYS.read(
        {key[len(prefix) :]: value for key, value in metadata.items() if key.startswith(prefix)},
        prefix=prefix,
    )
    _check_others(metadata, prefix)
    heads, hidden_size = keys["attention.head_count"], keys["embedding_length"]
    head_size = keys["attention.key_length"] or _head_size(hidden_size, heads, prefix)
    for key in ("rope.dimension_count", "attention.value_length"):
        if keys[key] not in (None, head_size):
            raise TercelError(f"{prefix}{key} must be the head size {head_size}, not {keys[key]}")
    base, kind = keys["rope.freq_base"], keys["rope.scaling.type"]
    scaling = {"type": "default" if kind == "none" else kind, "factor": keys["rope.scaling.factor"]}
    context = keys["context_length"]
    factors = rope_factors(
        f"{prefix}rope.scaling", scaling, base=base, size=head_size, context=context
    )
    padding = HeadPadding.of(head_size)
    if padding is not None and architecture == QWEN3:
        raise TercelError(
            f"heads of {head_size} elements with norms of queries and keys are not supported: "
            "their size must be a multiple of 16"
        )
    if padding is not None:
        head_size, factors = padding.padded, padding.rope_factors(factors, base=base)
    tokens = metadata.get("tokenizer.ggml.tokens")
    model = ModelConfig(
        name=name,
        layers=keys["block_count"],
        hidden_size=hidden_size,
        ffn_size=keys["feed_forward_length"],
        heads=heads,
        kv_heads=keys["attention.head_count_kv"] or heads,
        head_size=head_size,
        vocab_size=keys["vocab_size"] or (len(tokens) if isinstance(tokens, list) else 0),
        context=context,
        rope_base=base,
        rope_factors=factors,
        # A float32 in the file; seven digits restore the intended decimal.
        norm_epsilon=float(f"{keys['attention.layer_norm_rms_epsilon']:.7g}"),
        activation=keys["hidden_activation"] or _activation(architecture, metadata),
        sub_norms=architecture not in ("llama", QWEN3),
        qk_norm=architecture == QWEN3,
        tied_head=tied_head,
        bos_token=gguf_first_token(metadata),
        eos_tokens=gguf_end_tokens(metadata),
    )
    return GgufConfig(model=model, padding=padding)


def _check_others(metadata: Mapping[str, Any], prefix: str) -> None:
    """Refuse keys of neither the architecture nor a known other part."""
    for key in metadata:
        if key.startswith("prism.hadamard."):
            raise TercelError(f"{describe(key)[1:-1]}: Hadamard rotations are not supported")
    others = {key: value for key, value in metadata.items() if not key.startswith(prefix)}
    OTHER_KEYS.read(others)


def _activation(architecture: str, metadata: Mapping[str, Any]) -> str:
    """The activation of a file that names none.

    llama.cpp runs every ``bitnet`` file with SiLU, with which the 1bitLLM models were trained, but
    not Microsoft's. Theirs have the vocabulary of Llama 3, the others that of Llama 2.
    """
    if architecture == "bitnet" and metadata.get("tokenizer.ggml.model") == "gpt2":
        raise TercelError(
            "bitnet.hidden_activation is missing: llama.cpp runs this file with silu, but "
            "bitnet-b1.58-2B-4T was trained with relu2; import the Hugging Face folder instead"
        )
    return ARCHITECTURES[architecture]


def _head_size(hidden_size: int, heads: int, prefix: str) -> int:
    if hidden_size % heads:
        raise TercelError(
            f"{prefix}attention.head_count must divide {prefix}embedding_length, but {heads} does "
            f"not divide {hidden_size}"
        )
    return hidden_size // heads
