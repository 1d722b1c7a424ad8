"""From the tokenizer of a GGUF file to a ``tokenizer.json``."""

from collections.abc import Mapping
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers.processors import TemplateProcessing

from tercel.errors import TercelError

__all__ = ["tokenizer_json"]

CONTROL, USER_DEFINED = 3, 4
"""Token types of GGUF whose text is matched as a whole."""

LLAMA3_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
BYTE_LEVEL = {
    "gpt-2": lambda: pre_tokenizers.ByteLevel(add_prefix_space=False),
    "smollm": lambda: pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    ),
    "llama-bpe": lambda: pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(LLAMA3_WORDS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    ),
}
"""``tokenizer.ggml.pre`` to the way in which text is cut into words."""


def tokenizer_json(metadata: Mapping[str, Any]) -> bytes | None:
    """The bytes of a ``tokenizer.json``, or ``None`` where the file has no tokenizer.

    Parameters
    ----------
    metadata : mapping
        The file's keys and values, ``tokenizer.ggml.*`` among them.

    Raises
    ------
    TercelError
        If the kind of the tokenizer or its cutting into words is not known.
    """
    kind = metadata.get("tokenizer.ggml.model")
    if kind is None:
        return None
    if kind == "gpt2":
        tokenizer = _byte_level(metadata)
    elif kind == "llama":
        tokenizer = _sentence_piece(metadata)
    else:
        raise TercelError(
            f"tokenizer.ggml.model must be gpt2 or llama, not {kind!r}; give a tokenizer.json"
        )
    tokens: list[str] = metadata["tokenizer.ggml.tokens"]
    types = metadata.get("tokenizer.ggml.token_type", ())
    for token, type_ in zip(tokens, types, strict=False):
        if type_ == CONTROL:
            tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False)])
        elif type_ == USER_DEFINED:
            tokenizer.add_tokens([AddedToken(token, normalized=False)])
    # llama.cpp begins SentencePiece and Llama 3 text with it unless the file says otherwise.
    begins = kind == "llama" or metadata.get("tokenizer.ggml.pre") == "llama-bpe"
    if metadata.get("tokenizer.ggml.add_bos_token", begins):
        first = metadata.get("tokenizer.ggml.bos_token_id", 1)
        tokenizer.post_processor = TemplateProcessing(
            single=f"{tokens[first]} $A", special_tokens=[(tokens[first], first)]
        )
    return tokenizer.to_str().encode()


def _byte_level(metadata: Mapping[str, Any]) -> Tokenizer:
    """Byte-level BPE, as of GPT-2."""
    words = metadata.get("tokenizer.ggml.pre", "gpt-2")
    if words not in BYTE_LEVEL:
        raise TercelError(
            f"tokenizer.ggml.pre must be one of {', '.join(BYTE_LEVEL)}, not {words!r}; "
            "give a tokenizer.json"
        )
    vocabulary = {token: index for index, token in enumerate(metadata["tokenizer.ggml.tokens"])}
    merges = [tuple(merge.split(" ", 1)) for merge in metadata["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(models.BPE(vocabulary, merges))
    tokenizer.pre_tokenizer = BYTE_LEVEL[words]()
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _sentence_piece(metadata: Mapping[str, Any]) -> Tokenizer:
    """SentencePiece BPE with byte fallback, as of Llama 2.

    SentencePiece joins the two neighbours whose joint piece has the highest score, so the merges
    are all ways to split a piece in two known pieces, the best score first.
    """
    tokens: list[str] = metadata["tokenizer.ggml.tokens"]
    scores = metadata["tokenizer.ggml.scores"]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    joints = []
    for index, token in enumerate(tokens):
        splits = [
            (token[:cut], token[cut:])
            for cut in range(1, len(token))
            if token[:cut] in vocabulary and token[cut:] in vocabulary
        ]
        splits.sort(key=lambda split: (vocabulary[split[0]], vocabulary[split[1]]))
        joints += [(-scores[index], index, split) for split in splits]
    joints.sort(key=lambda joint: joint[:2])
    unknown = tokens[metadata.get("tokenizer.ggml.unknown_token_id", 0)]
    tokenizer = Tokenizer(
        models.BPE(
            vocabulary,
            [split for *_, split in joints],
            unk_token=unknown,
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    prefix = metadata.get("tokenizer.ggml.add_space_prefix", True)
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁")] * prefix + [normalizers.Replace(" ", "▁")]
    )
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
        + [decoders.Strip(" ", 1, 0)] * prefix
    )
    return tokenizer
