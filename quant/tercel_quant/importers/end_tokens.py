"""Begin and end tokens in a checkpoint's metadata: one id, several, or none."""

from collections.abc import Mapping
from typing import Any

from tercel_quant.importers.fields import OneOrMore
from tercel_quant.importers.sentencepiece_model import Kind
from tercel_quant.importers.sizes import TOKEN

__all__ = ["end_tokens", "gguf_end_tokens", "gguf_first_token"]

GGUF = "tokenizer.ggml."
GGUF_ENDS = (
    *("eos_token_id", "eot_token_id", "eom_token_id"),
    *("eos_token_ids", "eog_token_ids"),
)
"""Keys of the end tokens of a text, of a turn, of a message within a turn, and of all of these."""
END_TEXTS = frozenset(
    {
        *("<|endoftext|>", "<|end_of_text|>", "<|eot_id|>", "<|eom_id|>"),
        *("<|im_end|>", "<|end|>", "<end_of_turn>", "</s>"),
    }
)
"""Control tokens that end a text or a turn. A GGUF file has one id of each kind, but its model may
have several, so llama.cpp, too, goes by their texts."""


def end_tokens(*named: Any) -> tuple[Any, ...]:
    """The distinct ids of all values, in order.

    Parameters
    ----------
    named
        Values that are each an id, a list of ids, or ``None``; the model config checks the ids.
    """
    found = []
    for ids in named:
        for token in ids if isinstance(ids, list) else [ids]:
            if token is not None and token not in found:
                found.append(token)
    return tuple(found)


def gguf_end_tokens(metadata: Mapping[str, Any]) -> tuple[int, ...]:
    """The end tokens of a GGUF file: those that it names, and control tokens known by their text.

    Raises
    ------
    TercelError
        If an id is none.
    """
    named = [
        OneOrMore(TOKEN).check(f"{GGUF}{key}", metadata[f"{GGUF}{key}"])
        for key in GGUF_ENDS
        if metadata.get(f"{GGUF}{key}") is not None
    ]
    tokens, kinds = metadata.get(f"{GGUF}tokens"), metadata.get(f"{GGUF}token_type")
    known = []
    if isinstance(tokens, list) and isinstance(kinds, list):
        known = [
            index
            for index, (text, kind) in enumerate(zip(tokens, kinds, strict=False))
            if kind == Kind.CONTROL and text in END_TEXTS
        ]
    return end_tokens(*named, known)


def gguf_first_token(metadata: Mapping[str, Any]) -> int | None:
    """The begin token that a GGUF file names.

    Raises
    ------
    TercelError
        If it is no id.
    """
    key = f"{GGUF}bos_token_id"
    return None if metadata.get(key) is None else TOKEN.check(key, metadata[key])
