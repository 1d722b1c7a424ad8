import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from tercel.config import PRESETS
from tercel.errors import TercelError
from tercel.image import Image, random_image
from tercel.runtime import TextTokenizer

CONFIG = dataclasses.replace(PRESETS["tiny"], vocab_size=300, context=32)


def sentencepiece(decoder):
    """A vocabulary as Llama's: marked words, and every byte as a fall-back."""
    vocabulary = {f"<0x{byte:02X}>": byte for byte in range(256)}
    vocabulary |= {"\u2581": 256, "a": 257, "b": 258, "\u2581a": 259, "\u2581ab": 260}
    merges = [("\u2581", "a"), ("\u2581a", "b")]
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    tokenizer.decoder = decoder
    tokenizer.add_special_tokens(["<s>"])
    tokenizer.add_tokens(["<plain>"])
    return tokenizer.to_str().encode()


LLAMA_DECODER = decoders.Sequence(
    [
        decoders.Replace("\u2581", " "),
        decoders.ByteFallback(),
        decoders.Fuse(),
        decoders.Strip(content=" ", left=1),
    ]
)


@given(st.text(max_size=30))
def test_byte_level_text_round_trips(tokenizer, text):
    assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.parametrize("decoder", [LLAMA_DECODER, decoders.Metaspace()], ids=["llama", "marks"])
def test_sentencepiece_tokens_keep_their_spaces(decoder):
    tokenizer = TextTokenizer(sentencepiece(decoder), config=CONFIG)
    assert tokenizer.encode("ab ab") == [260, 260]
    assert tokenizer.decode([260, 260]) == " ab ab"
    assert [tokenizer.token_bytes(token) for token in (0x0A, 0xE2, 257)] == [b"\n", b"\xe2", b"a"]


def test_special_tokens_have_no_text_and_added_ones_do():
    tokenizer = TextTokenizer(sentencepiece(LLAMA_DECODER), config=CONFIG)
    assert tokenizer.encode("<s>a") == [261, 259] or tokenizer.encode("<s>a")[0] == 261
    assert tokenizer.token_bytes(261) == b""
    assert tokenizer.token_bytes(262) == b"<plain>"
    assert tokenizer.token_bytes(299) == b""


def test_the_first_token_comes_once():
    config = dataclasses.replace(CONFIG, bos_token=261)
    tokenizer = TextTokenizer(sentencepiece(LLAMA_DECODER), config=config)
    assert tokenizer.encode("ab") == [261, 260]
    assert tokenizer.encode("ab", first=False) == [260]


def test_lone_surrogates_are_refused(tokenizer):
    with pytest.raises(TercelError, match="must be valid UTF-8"):
        tokenizer.encode("a\udcff")


def test_a_malformed_tokenizer_is_refused():
    with pytest.raises(TercelError, match=r"not a valid tokenizer\.json"):
        TextTokenizer(b"{}", config=CONFIG)


def test_other_decoders_are_refused():
    data = json.loads(sentencepiece(LLAMA_DECODER))
    data["decoder"] = {"type": "WordPiece", "prefix": "##", "cleanup": True}
    with pytest.raises(TercelError, match="must be ByteLevel, ByteFallback or Metaspace, not Word"):
        TextTokenizer(json.dumps(data).encode(), config=CONFIG)


def test_an_image_without_tokenizer_says_so(tmp_path):
    path = tmp_path / "mute.tercel"
    random_image(path, PRESETS["tiny"])
    with pytest.raises(TercelError, match=r"mute\.tercel has no tokenizer"):
        TextTokenizer.of_image(Image.open(path))
