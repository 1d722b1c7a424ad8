"""Tokenizers of byte-level BPE vocabularies, by the name of their rule for words.

A rule splits a text into words, within which tokens are merged. The names are those of GGUF.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from tercel.errors import TercelError

__all__ = [
    "WORD_RULES",
    "WordRule",
    "byte_level_tokenizer",
    "find_word_rule",
    "rule_of_vocabulary",
]


def _words(digits: str) -> str:
    """The expression of Llama 3 and Qwen 2, which differ in the most digits of a word."""
    return (
        rf"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{digits}"
        r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    )


@dataclass(frozen=True, kw_only=True)
class WordRule:
    """The way in which a family of models splits a text into words."""

    expression: str | None = None
    """Regular expression of a word; by default that of GPT-2."""
    single_digits: bool = False
    """True if every digit is a word."""
    compose: bool = False
    """True if the text is first normalised to composed characters (NFC)."""
    whole_words: bool = False
    """True if a word that is a token is taken as it is, without merging."""
    begins: bool = False
    """True if every text starts with the begin token unless the file says otherwise."""


LLAMA_3 = WordRule(expression=_words("{1,3}"), whole_words=True, begins=True)

WORD_RULES = {
    "gpt-2": WordRule(),
    "smollm": WordRule(single_digits=True),
    "llama-bpe": LLAMA_3,
    "llama3": LLAMA_3,
    "llama-v3": LLAMA_3,
    "falcon3": LLAMA_3,
    "falcon_e": LLAMA_3,
    "qwen2": WordRule(expression=_words(""), compose=True),
}
"""Rule by the value of ``tokenizer.ggml.pre``."""


def rule_of_vocabulary(tokens: Sequence[str]) -> str | None:
    """The name of the rule of a vocabulary that is known by its special tokens.

    bitnet.cpp's files of Llama 3 vocabularies, for instance bitnet-b1.58-2B-4T, do not name it.
    """
    return "llama-bpe" if "<|begin_of_text|>" in tokens else None


def byte_level_tokenizer(tokens: Sequence[str], merges: Sequence[str], rule: WordRule) -> Tokenizer:
    """The tokenizer of a vocabulary; it puts no token in front of a text.

    Parameters
    ----------
    tokens
        Tokens in the order of their ids, each byte written as one printable character.
    merges
        Pairs of tokens to merge, with a space between them, the most important first.
    rule

    Raises
    ------
    TercelError
        If a merge has only one part, or a token occurs twice.
    """
    vocabulary = {token: index for index, token in enumerate(tokens)}
    if len(vocabulary) < len(tokens):
        raise TercelError("a token of the vocabulary occurs twice")
    if single := [merge for merge in merges if " " not in merge]:
        raise TercelError(f"a merge must join two tokens, but one is {single[0]!r:.60}")
    pairs = [(left, right) for left, _, right in (merge.partition(" ") for merge in merges)]
    return _with_rule(models.BPE(vocabulary, pairs, ignore_merges=rule.whole_words), rule)


def find_word_rule(
    normalizer: Sequence[dict[str, Any]],
    pre_tokenizer: Sequence[dict[str, Any]],
    *,
    whole_words: bool,
) -> str | None:
    """The name of the rule that the steps of a ``tokenizer.json`` make; ``None`` if none does."""
    given = _essence(normalizer), _essence(pre_tokenizer), whole_words
    for name, rule in WORD_RULES.items():
        fields = json.loads(_with_rule(models.BPE(), rule).to_str())
        normal = [] if fields["normalizer"] is None else [fields["normalizer"]]
        steps = fields["pre_tokenizer"]["pretokenizers"]
        if given == (_essence(normal), _essence(steps), rule.whole_words):
            return name
    return None


def _essence(steps: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Steps without the settings that change offsets alone."""
    return [{key: value for key, value in step.items() if key != "trim_offsets"} for step in steps]


def _with_rule(model: models.BPE, rule: WordRule) -> Tokenizer:
    tokenizer = Tokenizer(model)
    if rule.compose:
        tokenizer.normalizer = normalizers.NFC()
    if rule.expression is not None:
        first = [pre_tokenizers.Split(Regex(rule.expression), "isolated")]
    else:
        first = [pre_tokenizers.Digits(individual_digits=True)] if rule.single_digits else []
    last = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=rule.expression is None)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*first, last])
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer
