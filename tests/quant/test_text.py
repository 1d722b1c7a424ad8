import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from tokenizers.processors import TemplateProcessing

from tercel.errors import TercelError
from tercel.runtime import TextTokenizer
from tercel_quant.text import text_windows


def letters(*, first: bool = False) -> TextTokenizer:
    """One token a letter: a is 0, z is 25; ``^``, 26, may stand in front of every text."""
    vocabulary = {letter: index for index, letter in enumerate("abcdefghijklmnopqrstuvwxyz^")}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="z"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    if first:
        tokenizer.post_processor = TemplateProcessing(single="^ $A", special_tokens=[("^", 26)])
    tokenizer.decoder = decoders.ByteLevel()
    return TextTokenizer(tokenizer.to_str().encode())


TEXT = "abcdefghijkl"


def test_text_is_cut_and_the_rest_left_out():
    windows = text_windows(TEXT, letters(), context=5)
    assert windows.dtype == torch.int64
    assert windows.tolist() == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]


def test_first_token_stands_before_every_window():
    windows = text_windows(TEXT, letters(first=True), context=5)
    assert windows.tolist() == [[26, 0, 1, 2, 3], [26, 4, 5, 6, 7], [26, 8, 9, 10, 11]]


def test_first_token_in_the_text_is_not_put_before_it_again():
    windows = text_windows("^abcd^efghij^kl", letters(first=True), context=5)
    assert windows.tolist() == [[26, 0, 1, 2, 3], [26, 4, 5, 6, 7], [26, 8, 9, 26, 10]]


def test_few_windows_are_spread_over_the_text():
    windows = text_windows(TEXT, letters(), context=2, tokens=7)
    assert windows.tolist() == [[0, 1], [4, 5], [8, 9]]
    assert len(text_windows(TEXT, letters(), context=2, tokens=1)) == 1
    assert len(text_windows(TEXT, letters(), context=2, tokens=99)) == 6


def test_short_text_refused():
    with pytest.raises(TercelError, match="has 3 tokens, which do not fill one window of 4; give"):
        text_windows("abc", letters(), context=4)


def test_short_context_refused():
    with pytest.raises(TercelError, match="a window must have at least 3 tokens, not 2"):
        text_windows(TEXT, letters(first=True), context=2)
