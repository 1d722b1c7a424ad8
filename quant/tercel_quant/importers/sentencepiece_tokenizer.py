"""Tokenizers of SentencePiece vocabularies, with the results of SentencePiece."""

import math
import re
from enum import Enum
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers.processors import TemplateProcessing

from tercel.errors import TercelError
from tercel_quant.importers.sentencepiece_model import Algorithm, Kind, SentencePieceModel

__all__ = ["Prefix", "put_in_front", "sentencepiece_tokenizer"]

SPACE = "\N{LOWER ONE EIGHTH BLOCK}"
LONGEST, MOST_CHARACTERS, MOST_MERGES = 512, 1 << 23, 1 << 21
"""Most characters of a piece and of all, and most merges; published vocabularies have at most 128,
3 million and 0.6 million."""


class Prefix(str, Enum):
    """Texts that get a space in front, if the model has such a prefix.

    Special tokens such as ``<s>`` divide a text into chunks.
    """

    EVERY = "every"
    """Every chunk, as SentencePiece does."""
    UNLESS_SPACE = "always"
    """Every chunk that does not start with a space."""
    FIRST = "first"
    """The first chunk, if it does not start with a space and no special token precedes it."""


def sentencepiece_tokenizer(model: SentencePieceModel, prefix: Prefix = Prefix.EVERY) -> Tokenizer:
    """The tokenizer of a BPE model; it puts no token in front of a text.

    Control pieces such as ``<s>`` are special tokens, matched in the text.

    Raises
    ------
    TercelError
        If the model splits texts in another way, or is inconsistent.
    """
    _check(model)
    user = [piece.text for piece in model.pieces if piece.kind == Kind.USER_DEFINED]
    tokenizer = Tokenizer(_bpe(model, whole_words=bool(user)))
    steps: list[Any] = []
    if model.squeeze:
        steps += [
            normalizers.Replace(Regex(rf"\A +|[ {SPACE}]+\z"), ""),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    words: list[Any] = []
    if model.prefix and prefix != Prefix.EVERY:
        words.append(pre_tokenizers.Metaspace(SPACE, prepend_scheme=prefix.value, split=False))
    else:
        steps += [normalizers.Prepend(SPACE)] * model.prefix + [normalizers.Replace(" ", SPACE)]
    tokenizer.normalizer = normalizers.Sequence(steps)
    if user:
        # Whole and never part of another piece. Their merges are ignored, and so would be those of
        # a lone `<0x41>`, which is no piece of its own; it is cut after its first character.
        pattern = "|".join(re.escape(text) for text in sorted(user, key=len, reverse=True))
        cuts = (pattern, r"\A<(?=0x[0-9A-F]{2}>\z)")
        words += [pre_tokenizers.Split(Regex(cut), behavior="isolated") for cut in cuts]
    if words:
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(words)
    parts: list[Any] = [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    tokenizer.decoder = decoders.Sequence(
        parts + ([decoders.Strip(" ", 1, 0)] if model.prefix else [])
    )
    tokenizer.add_special_tokens(
        [
            AddedToken(piece.text, special=True, normalized=False)
            for piece in model.pieces
            if piece.kind == Kind.CONTROL
        ]
    )
    return tokenizer


def put_in_front(tokenizer: Tokenizer, token: str) -> None:
    """Make a token the first of every text."""
    index = tokenizer.token_to_id(token)
    tokenizer.post_processor = TemplateProcessing(
        single=f"{token} $A", special_tokens=[(token, index)]
    )


def _check(model: SentencePieceModel) -> None:
    if model.algorithm != Algorithm.BPE:
        names = {one.value: one.name.lower() for one in Algorithm}
        name = names.get(model.algorithm, f"of the number {model.algorithm}")
        raise TercelError(f"its pieces must be made by BPE, but they are {name}")
    if model.charsmap:
        # `tokenizers` applies such a table to other stretches of a text than SentencePiece does.
        raise TercelError("it normalises texts by a table, which is not supported")
    if model.suffix or not model.escape:
        raise TercelError("spaces must start pieces as U+2581, but here they do not")
    if not 0 <= model.unknown < len(model.pieces):
        raise TercelError(
            f"its unknown token must be below the {len(model.pieces)} pieces, not {model.unknown}"
        )


def _bpe(model: SentencePieceModel, whole_words: bool) -> models.BPE:
    """The merges of a model.

    SentencePiece joins the two neighbours whose joint piece has the highest score, so the merges
    are all splits of a normal piece into two normal pieces, highest score first.

    Raises
    ------
    TercelError
        If a piece is longer than any published one, occurs twice, or has no number as its score.
    """
    pieces = model.pieces
    vocabulary = {piece.text: index for index, piece in enumerate(pieces)}
    if len(vocabulary) < len(pieces):
        raise TercelError("a token of the vocabulary occurs twice")
    if (longest := max(len(piece.text) for piece in pieces)) > LONGEST:
        raise TercelError(f"a token has {longest} characters, but at most {LONGEST} are read")
    if (count := sum(len(piece.text) for piece in pieces)) > MOST_CHARACTERS:
        raise TercelError(f"its tokens have {count} characters, but {MOST_CHARACTERS} are read")
    normal = {p.text: index for index, p in enumerate(pieces) if p.kind == Kind.NORMAL}
    joints: list[tuple[float, int, int, int, tuple[str, str]]] = []
    for text, index in normal.items():
        if math.isnan(score := pieces[index].score):
            raise TercelError(f"the score of the token {index} is no number")
        for cut in range(1, len(text)):
            left, right = text[:cut], text[cut:]
            if left in normal and right in normal:
                joints.append((-score, index, normal[left], normal[right], (left, right)))
        if len(joints) > MOST_MERGES:
            raise TercelError(f"its tokens can be merged in more than {MOST_MERGES} ways")
    joints.sort()
    return models.BPE(
        vocabulary,
        [split for *_, split in joints],
        unk_token=pieces[model.unknown].text,
        fuse_unk=True,
        byte_fallback=model.byte_fallback,
        ignore_merges=whole_words,
    )
