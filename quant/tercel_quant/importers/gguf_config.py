"""From the metadata of a GGUF file to a model config."""

from collections.abc import Mapping
from typing import Any

from tercel.config import ModelConfig
from tercel.errors import TercelError
from tercel_quant.importers.end_tokens import end_tokens

__all__ = ["ARCHITECTURES", "read_config"]

ARCHITECTURES = ("llama", "bitnet")
"""``bitnet`` is llama.cpp's: SiLU, sub-norms, rotate-half RoPE."""

END_TOKENS = tuple(f"tokenizer.ggml.{kind}_token_id" for kind in ("eos", "eot", "eom"))
"""End of the text, of a turn, and of a message that is not the turn's last."""


def read_config(metadata: Mapping[str, Any], *, name: str, tied_head: bool) -> ModelConfig:
    """A model config from GGUF metadata.

    Parameters
    ----------
    metadata : mapping
        Key to value, as llama.cpp writes them.
    name : str
        Name of the model config.
    tied_head : bool
        Whether the file lacks an ``output.weight``.

    Raises
    ------
    TercelError
        If a key is missing or the model has a part that tercel has not: the message names it.
    """
    architecture = metadata.get("general.architecture")
    if architecture not in ARCHITECTURES:
        raise TercelError(
            f"general.architecture must be one of {', '.join(ARCHITECTURES)}, not {architecture!r}"
        )

    def need(key: str) -> Any:
        full = f"{architecture}.{key}"
        if full not in metadata:
            raise TercelError(f"the GGUF file lacks the key {full}")
        return metadata[full]

    def get(key: str, default: Any) -> Any:
        return metadata.get(f"{architecture}.{key}", default)

    scaling, factor = get("rope.scaling.type", "none"), get("rope.scaling.factor", 1.0)
    # llama.cpp writes `linear` with the factor 1, which is no scaling, into bitnet files.
    if scaling != "none" and not (scaling == "linear" and factor == 1):
        raise TercelError(
            f"{architecture}.rope.scaling.type is {scaling!r} with the factor {factor}, "
            "but only unscaled RoPE is supported"
        )
    if get("expert_count", 0):
        raise TercelError(f"{architecture}.expert_count is set, but mixtures are not supported")
    heads, hidden_size = need("attention.head_count"), need("embedding_length")
    head_size = get("attention.key_length", hidden_size // heads)
    if (rotated := get("rope.dimension_count", head_size)) != head_size:
        raise TercelError(
            f"{architecture}.rope.dimension_count must be the head size {head_size}, not {rotated}"
        )
    if (value_size := get("attention.value_length", head_size)) != head_size:
        raise TercelError(
            f"{architecture}.attention.value_length must be the head size {head_size}, "
            f"not {value_size}"
        )
    return ModelConfig(
        name=name,
        layers=need("block_count"),
        hidden_size=hidden_size,
        ffn_size=need("feed_forward_length"),
        heads=heads,
        kv_heads=get("attention.head_count_kv", heads),
        head_size=head_size,
        vocab_size=get("vocab_size", len(metadata.get("tokenizer.ggml.tokens", ()))),
        context=need("context_length"),
        rope_base=float(get("rope.freq_base", 10000.0)),
        # A float32 in the file; its shortest decimal is what was meant.
        norm_epsilon=float(f"{need('attention.layer_norm_rms_epsilon'):.7g}"),
        sub_norms=architecture == "bitnet",
        tied_head=tied_head,
        bos_token=metadata.get("tokenizer.ggml.bos_token_id"),
        eos_tokens=end_tokens(*(metadata.get(key) for key in END_TOKENS)),
    )
