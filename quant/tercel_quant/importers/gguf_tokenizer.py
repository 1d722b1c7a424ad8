"""Conversion of a GGUF file's tokenizer to a ``tokenizer.json``."""

import math
from collections.abc import Mapping
from typing import Any

from tokenizers import AddedToken, Tokenizer

from tercel.errors import TercelError
from tercel_export.gguf.word_rules import (
    WORD_RULES,
    byte_level_tokenizer,
    rule_of_vocabulary,
)
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
from tercel_quant.importers.sentencepiece_model import (
    MOST_PIECES,
    Algorithm,
    Kind,
    Piece,
    SentencePieceModel,
)
from tercel_quant.importers.sentencepiece_tokenizer import put_in_front, sentencepiece_tokenizer
from tercel_quant.importers.sizes import TOKEN

__all__ = ["tokenizer_json"]

PREFIX = "tokenizer.ggml."
KINDS = Choice({"gpt2": "gpt2", "llama": "llama"})
BEGINS = {"gpt2": 11, "llama": 1}
"""Id of the begin token where the file names none, as in llama.cpp."""

KEYS = FieldTable(
    fields={
        "tokens": Field(Listed(Text()), required=True),
        "token_type": Field(Listed(Integer(0, 255))),
        "scores": Field(Listed(Number(-math.inf, 1e30))),
        "merges": Field(Listed(Text())),
        "pre": Field(Text()),
        "bos_token_id": Field(TOKEN),
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
    if metadata.get(f"{PREFIX}model") in (None, "none"):
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
    tokenizer, begins = _byte_level(keys) if kind == "gpt2" else _sentence_piece(keys)
    tokenizer.add_tokens(
        [
            AddedToken(token, special=type_ == Kind.CONTROL, normalized=False)
            for token, type_ in zip(tokens, keys["token_type"] or (), strict=False)
            if type_ in (Kind.CONTROL, Kind.USER_DEFINED)
        ]
    )
    begin = BEGINS[kind] if keys["bos_token_id"] is None else keys["bos_token_id"]
    begins = begins if keys["add_bos_token"] is None else keys["add_bos_token"]
    if begin >= len(tokens) and (begins or keys["bos_token_id"] is not None):
        raise TercelError(
            f"{PREFIX}bos_token_id must be below the {len(tokens)} tokens, not {begin}"
        )
    if begins:
        put_in_front(tokenizer, tokens[begin])
    return tokenizer


def _check_lengths(keys: Mapping[str, Any]) -> None:
    """Check that every token has a type and a score, where there are any."""
    if (count := len(keys["tokens"])) > MOST_PIECES:
        raise TercelError(f"{PREFIX}tokens has {count} tokens, but at most {MOST_PIECES} are read")
    for key in ("token_type", "scores"):
        if keys[key] is not None and len(keys[key]) != count:
            raise TercelError(
                f"{PREFIX}{key} must have an item for each of the {count} tokens, "
                f"not {len(keys[key])}"
            )


def _needed(keys: Mapping[str, Any], key: str) -> list[Any]:
    if keys[key] is None:
        raise TercelError(f"the field {PREFIX}{key} is missing")
    return keys[key]


def _byte_level(keys: Mapping[str, Any]) -> tuple[Tokenizer, bool]:
    """The tokenizer of a GPT-2 vocabulary, and whether its texts begin with the begin token."""
    name = keys["pre"] or rule_of_vocabulary(keys["tokens"])
    if name is None:
        raise TercelError(
            f"the field {PREFIX}pre, the rule that splits texts into words, is missing"
        )
    if name not in WORD_RULES:
        raise TercelError(f"{PREFIX}pre must be one of {', '.join(WORD_RULES)}, not {name!r}")
    rule = WORD_RULES[name]
    return byte_level_tokenizer(keys["tokens"], _needed(keys, "merges"), rule), rule.begins


def _sentence_piece(keys: Mapping[str, Any]) -> tuple[Tokenizer, bool]:
    """The tokenizer of a Llama 2 vocabulary, and that its texts begin with the begin token."""
    scores = _needed(keys, "scores")
    kinds = keys["token_type"] or [int(Kind.NORMAL)] * len(scores)
    model = SentencePieceModel(
        pieces=[
            # Tokens that are added to a SentencePiece model are never part of a merge.
            Piece(text=text, score=score, kind=Kind.UNUSED if kind == Kind.USER_DEFINED else kind)
            for text, score, kind in zip(keys["tokens"], scores, kinds, strict=True)
        ],
        algorithm=Algorithm.BPE,
        byte_fallback=True,
        unknown=keys["unknown_token_id"],
        prefix=keys["add_space_prefix"],
        squeeze=False,
    )
    return sentencepiece_tokenizer(model), True
