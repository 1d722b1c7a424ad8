"""Conversion of a GGUF file's tokenizer to a ``tokenizer.json``."""

import math
from collections.abc import Mapping
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers.processors import TemplateProcessing

from tercel.errors import TercelError
from tercel_quant.importers.fields import (
    Choice,
    Field,
    FieldTable,
    Fixed,
    Flag,
    Integer,
    Listed,
    Number,
    Text,
)
from tercel_quant.importers.sizes import TOKEN

__all__ = ["tokenizer_json"]

PREFIX = "tokenizer.ggml."
KINDS = Choice({"gpt2": "gpt2", "llama": "llama"})

KEYS = FieldTable(
    fields={
        "tokens": Field(Listed(Text()), required=True),
        "token_type": Field(Listed(Integer(0, 255))),
        "scores": Field(Listed(Number(-math.inf, 1e30))),
        "merges": Field(Listed(Text())),
        "pre": Field(Text(), "gpt-2"),
        "bos_token_id": Field(TOKEN, 1),
        "unknown_token_id": Field(TOKEN, 0),
        "add_bos_token": Field(Flag()),
        "add_eos_token": Field(Fixed((False,), "a last token after every text is")),
        "add_sep_token": Field(Fixed((False,), "a separator after every text is")),
        "add_space_prefix": Field(Flag(), True),
        "remove_extra_whitespaces": Field(Fixed((False,), "dropping white space is")),
        "precompiled_charsmap": Field(Fixed(([],), "a normaliser's table is")),
    },
    remedy="the tokenizer of this file is not read",
    # Ids that encoding a text does not add.
    harmless=frozenset(
        {
            "model",
            "token_type_count",
            *(
                f"{name}_token_id"
                for name in (
                    *("eos", "eot", "eom", "seperator", "padding", "mask"),
                    *("fim_pre", "fim_suf", "fim_mid", "fim_pad", "fim_rep", "fim_sep"),
                    *("prefix", "suffix", "middle"),
                )
            ),
            *("eog_token_ids", "eos_token_ids"),
        }
    ),
)

CONTROL, USER_DEFINED = 3, 4
"""GGUF token types whose text is matched as a whole."""

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
"""Pre-tokenizer factory by the value of ``tokenizer.ggml.pre``."""


def tokenizer_json(metadata: Mapping[str, Any]) -> bytes | None:
    """The bytes of a ``tokenizer.json``, or ``None`` if the file has no tokenizer.

    Parameters
    ----------
    metadata : mapping
        Keys and values of the file, including ``tokenizer.ggml.*``.

    Raises
    ------
    TercelError
        If the kind of the tokenizer or its pre-tokenizer is unknown.
    """
    if metadata.get(f"{PREFIX}model") is None:
        return None
    try:
        return _tokenizer(metadata).to_str().encode()
    except TercelError as error:
        raise TercelError(f"{error}; give a tokenizer.json with --tokenizer") from None
    except Exception as error:  # the library raises nothing narrower
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise TercelError(
            f"the tokenizer of the GGUF file is damaged ({reason}); give a tokenizer.json with "
            "--tokenizer"
        ) from None


def _tokenizer(metadata: Mapping[str, Any]) -> Tokenizer:
    kind = KINDS.check(f"{PREFIX}model", metadata[f"{PREFIX}model"])
    keys = KEYS.read(
        {key[len(PREFIX) :]: value for key, value in metadata.items() if key.startswith(PREFIX)},
        prefix=PREFIX,
    )
    tokens: list[str] = keys["tokens"]
    _check_lengths(keys)
    tokenizer = _byte_level(keys) if kind == "gpt2" else _sentence_piece(keys)
    for token, type_ in zip(tokens, keys["token_type"] or (), strict=False):
        if type_ == CONTROL:
            tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False)])
        elif type_ == USER_DEFINED:
            tokenizer.add_tokens([AddedToken(token, normalized=False)])
    # llama.cpp's default: SentencePiece and Llama 3 texts start with the begin token.
    begins = kind == "llama" or keys["pre"] == "llama-bpe"
    if begins if keys["add_bos_token"] is None else keys["add_bos_token"]:
        first = keys["bos_token_id"]
        tokenizer.post_processor = TemplateProcessing(
            single=f"{tokens[first]} $A", special_tokens=[(tokens[first], first)]
        )
    return tokenizer


def _check_lengths(keys: Mapping[str, Any]) -> None:
    """Check that every token has a type and a score, and that every id is a token."""
    count = len(keys["tokens"])
    for key in ("token_type", "scores"):
        if keys[key] is not None and len(keys[key]) != count:
            raise TercelError(
                f"{PREFIX}{key} must have an item for each of the {count} tokens, "
                f"not {len(keys[key])}"
            )
    for key in ("bos_token_id", "unknown_token_id"):
        if keys[key] >= count:
            raise TercelError(f"{PREFIX}{key} must be below the {count} tokens, not {keys[key]}")


def _needed(keys: Mapping[str, Any], key: str) -> list[Any]:
    if keys[key] is None:
        raise TercelError(f"the field {PREFIX}{key} is missing")
    return keys[key]


def _byte_level(keys: Mapping[str, Any]) -> Tokenizer:
    """Byte-level BPE as in GPT-2."""
    words = keys["pre"]
    if words not in BYTE_LEVEL:
        raise TercelError(f"{PREFIX}pre must be one of {', '.join(BYTE_LEVEL)}, not {words!r}")
    vocabulary = {token: index for index, token in enumerate(keys["tokens"])}
    merges = [tuple(merge.split(" ", 1)) for merge in _needed(keys, "merges")]
    if single := [merge for merge in merges if len(merge) != 2]:
        raise TercelError(f"{PREFIX}merges must join two tokens, but one is {single[0][0]!r}")
    tokenizer = Tokenizer(models.BPE(vocabulary, merges))
    tokenizer.pre_tokenizer = BYTE_LEVEL[words]()
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _sentence_piece(keys: Mapping[str, Any]) -> Tokenizer:
    """SentencePiece BPE with byte fallback as in Llama 2.

    SentencePiece joins the two neighbours whose joint piece has the highest score, so the merges
    are all splits of a piece into two known pieces, highest score first.
    """
    tokens: list[str] = keys["tokens"]
    scores = _needed(keys, "scores")
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
    unknown = tokens[keys["unknown_token_id"]]
    tokenizer = Tokenizer(
        models.BPE(
            vocabulary,
            [split for *_, split in joints],
            unk_token=unknown,
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    prefix = keys["add_space_prefix"]
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁")] * prefix + [normalizers.Replace(" ", "▁")]
    )
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
        + [decoders.Strip(" ", 1, 0)] * prefix
    )
    return tokenizer
