"""A ``tokenizer.json`` as the metadata of a GGUF file."""

import json
from collections.abc import Mapping
from typing import Any

from gguf import GGUFWriter, TokenType

from tercel.config import ModelConfig
from tercel.errors import TercelError
from tercel.image import Image
from tercel.runtime import TextTokenizer
from tercel_export.gguf.word_rules import find_word_rule

__all__ = ["END_TOKENS", "add_tokenizer"]

END_TOKENS = 3
"""End tokens that a file can name: of a text, of a turn, and of a message within a turn."""

SPACE = "\N{LOWER ONE EIGHTH BLOCK}"


def add_tokenizer(writer: GGUFWriter, image: Image) -> None:
    """Add vocabulary, special tokens and chat template; an image without a tokenizer adds none.

    Raises
    ------
    TercelError
        If llama.cpp has no tokenizer that gives the same tokens.
    """
    if image.tokenizer is None:
        writer.add_tokenizer_model("none")
        _add_ids(writer, image.config, image.config.bos_token)
        return
    fields = json.loads(image.tokenizer)
    model, config = fields["model"], image.config
    if model["type"] != "BPE":
        raise _refusal(f"its model is {model['type']}, but only BPE is written")
    if any(rule.get("type") == "ByteLevel" for rule in _parts(fields, "decoder", "decoders")):
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre(_word_rule(fields))
        writer.add_token_merges([" ".join(pair) for pair in _merges(model)])
        scores = None
    else:
        writer.add_tokenizer_model("llama")
        writer.add_add_space_prefix(_space_prefix(fields))
        scores = _scores(_merges(model))
    tokens, types = _vocabulary(fields, config)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    if scores is not None:
        writer.add_token_scores([scores.get(token, 0.0) for token in tokens])
    _add_special(writer, image, model)


def _refusal(reason: str) -> TercelError:
    return TercelError(
        f"llama.cpp has no tokenizer like this image's: {reason}; export onnx or huggingface"
    )


def _parts(fields: Mapping[str, Any], kind: str, parts: str) -> list[dict[str, Any]]:
    """The steps of a decoder, normaliser or pre-tokenizer."""
    found = fields.get(kind)
    return [] if found is None else found.get(parts, [found])


def _merges(model: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Pairs of tokens; older files write them as one string with a space."""
    pairs = (merge.split(" ", 1) if isinstance(merge, str) else merge for merge in model["merges"])
    return [(left, right) for left, right in pairs]


def _word_rule(fields: Mapping[str, Any]) -> str:
    name = find_word_rule(
        _parts(fields, "normalizer", "normalizers"),
        _parts(fields, "pre_tokenizer", "pretokenizers"),
        whole_words=bool(fields["model"].get("ignore_merges")),
    )
    if name is None:
        raise _refusal("its rule for words is none of those that llama.cpp names")
    return name


def _space_prefix(fields: Mapping[str, Any]) -> bool:
    """True if a SentencePiece tokenizer puts a space in front of a text."""
    steps = _parts(fields, "normalizer", "normalizers") + _parts(
        fields, "pre_tokenizer", "pretokenizers"
    )
    kinds = {step["type"] for step in steps}
    if not kinds <= {"Prepend", "Replace", "Metaspace"}:
        raise _refusal(f"it changes texts by {', '.join(sorted(kinds))}")
    metaspaces = [step for step in steps if step["type"] == "Metaspace"]
    return "Prepend" in kinds or any(step["prepend_scheme"] != "never" for step in metaspaces)


def _scores(merges: list[tuple[str, str]]) -> dict[str, float]:
    """Scores of joint pieces, falling with the rank of their first merge.

    SentencePiece joins the neighbours with the highest score of their joint piece, so all merges
    into one piece must stand together.
    """
    scores: dict[str, float] = {}
    last = None
    for rank, (left, right) in enumerate(merges):
        piece = left + right
        if piece != last and piece in scores:
            raise _refusal(f"its merges into {piece!r} stand apart, so they have no one score")
        scores.setdefault(piece, -1.0 - rank)
        last = piece
    return scores


def _vocabulary(
    fields: Mapping[str, Any], config: ModelConfig
) -> tuple[list[str], list[TokenType]]:
    """Texts and types of all ids; those without a token are filled up, as llama.cpp needs one."""
    tokens = [f"[PAD{index}]" for index in range(config.vocab_size)]
    types = [TokenType.UNUSED] * config.vocab_size
    unknown = fields["model"].get("unk_token")
    fallback = bool(fields["model"].get("byte_fallback"))
    for text, index in fields["model"]["vocab"].items():
        tokens[index], types[index] = text, TokenType.NORMAL
        if fallback and len(text) == 6 and text.startswith("<0x") and text.endswith(">"):
            types[index] = TokenType.BYTE
        elif text == unknown:
            types[index] = TokenType.UNKNOWN
    for token in fields.get("added_tokens", ()):
        if types[token["id"]] == TokenType.UNKNOWN:
            continue
        tokens[token["id"]] = token["content"]
        types[token["id"]] = TokenType.CONTROL if token["special"] else TokenType.USER_DEFINED
    return tokens, types


def _add_special(writer: GGUFWriter, image: Image, model: Mapping[str, Any]) -> None:
    config = image.config
    first = TextTokenizer.of_image(image).first_tokens
    if len(first) > 1:
        raise _refusal(f"it puts {len(first)} tokens in front of every text, not one")
    writer.add_add_bos_token(bool(first))
    _add_ids(writer, config, first[0] if first else config.bos_token)
    if (unknown := model.get("unk_token")) is not None:
        writer.add_unk_token_id(model["vocab"][unknown])
    if image.chat is not None:
        writer.add_chat_template(image.chat.template)


def _add_ids(writer: GGUFWriter, config: ModelConfig, begin: int | None) -> None:
    """Add the begin token and up to :data:`END_TOKENS` end tokens."""
    if begin is not None:
        writer.add_bos_token_id(begin)
    adders = writer.add_eos_token_id, writer.add_eot_token_id, writer.add_eom_token_id
    for end, add in zip(config.eos_tokens, adders, strict=False):
        add(end)
