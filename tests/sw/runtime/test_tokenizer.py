import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

from tercel.config import PRESETS
from tercel.errors import TercelError
from tercel.image import Image, random_image
from tercel.runtime import TextTokenizer


def sentencepiece(decoder, *words):
    """A vocabulary as Llama's: marked words, every byte as a fall-back, and more words."""
    vocabulary = {f"<0x{byte:02X}>": byte for byte in range(256)}
    for word in ("\u2581", "a", "b", "\u2581a", "\u2581ab", *words):
        vocabulary[word] = len(vocabulary)
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
    tokenizer = TextTokenizer(sentencepiece(decoder))
    assert tokenizer.encode("ab ab") == [260, 260]
    assert tokenizer.decode([260, 260]) == " ab ab"
    assert [tokenizer.token_bytes(token) for token in (0x0A, 0xE2, 257)] == [b"\n", b"\xe2", b"a"]


def test_words_that_look_like_bytes_are_words():
    words = ["->", "x<0x41>", "<0x4>", "[0x41>", "<0x41]", "<div/>"]
    tokenizer = TextTokenizer(sentencepiece(LLAMA_DECODER, *words))
    assert [tokenizer.token_bytes(261 + at).decode() for at in range(len(words))] == words


def test_special_tokens_alone_have_a_written_form():
    tokenizer = TextTokenizer(sentencepiece(LLAMA_DECODER))
    assert [tokenizer.written(token) for token in (261, 262, 257, 299)] == ["<s>", None, None, None]


def test_special_tokens_have_no_text_and_added_ones_do():
    tokenizer = TextTokenizer(sentencepiece(LLAMA_DECODER))
    assert tokenizer.encode("<s>a") == [261, 259] or tokenizer.encode("<s>a")[0] == 261
    assert tokenizer.token_bytes(261) == b""
    assert tokenizer.token_bytes(262) == b"<plain>"
    assert tokenizer.token_bytes(299) == b""


def begins(single):
    """A post-processor of the sentencepiece vocabulary: 261 is ``<s>``."""
    return processors.TemplateProcessing(single=single, special_tokens=[("<s>", 261)])


POST_PROCESSORS = {
    "none": None,
    "no token": processors.ByteLevel(trim_offsets=False),
    "begin": begins("<s> $A"),
    "begin twice": begins("<s> <s> $A"),
    "end": begins("$A <s>"),
    "begin and end": begins("<s> $A <s>"),
    "begin and end of RoBERTa": processors.RobertaProcessing(("<plain>", 262), ("<s>", 261)),
    "llama 3": processors.Sequence([processors.ByteLevel(trim_offsets=False), begins("<s> $A")]),
}


@pytest.mark.parametrize("kind", POST_PROCESSORS)
@given(text=st.lists(st.sampled_from(["<s>", "<plain>", "a", "ab", " ", "\n"]) | st.text()))
def test_a_text_starts_as_the_tokenizers_own_encoding_does(kind, text):
    """The library's encoding without appended tokens, and without a second begin token."""
    text = "".join(text)
    theirs = Tokenizer.from_str(sentencepiece(LLAMA_DECODER).decode())
    plain = theirs.encode(text).ids
    if POST_PROCESSORS[kind] is not None:
        theirs.post_processor = POST_PROCESSORS[kind]
    ours = TextTokenizer(theirs.to_str().encode())
    whole = theirs.encode(text)
    end = whole.special_tokens_mask[::-1].index(0) if plain else kind.count("end")
    expected = whole.ids[: len(whole.ids) - end]
    assert ours.encode(text, first=False) == plain
    assert expected == [*ours.first_tokens, *plain]
    written = tuple(plain[: len(ours.first_tokens)]) == ours.first_tokens
    assert ours.encode(text) == (plain if written else expected)


def test_the_first_token_is_not_added_to_one_in_the_text():
    theirs = Tokenizer.from_str(sentencepiece(LLAMA_DECODER).decode())
    theirs.post_processor = begins("<s> $A")
    tokenizer = TextTokenizer(theirs.to_str().encode())
    assert tokenizer.first_tokens == (261,)
    assert tokenizer.encode("ab") == [261, 260]
    assert tokenizer.encode("<s> ab") == [261, 260]
    assert tokenizer.encode("<s><s>") == [261, 261]
    assert tokenizer.encode("ab", first=False) == [260]
    assert tokenizer.encode("") == tokenizer.encode("<s>") == [261]


def test_truncation_and_padding_of_the_file_are_left_out():
    theirs = Tokenizer.from_str(sentencepiece(LLAMA_DECODER).decode())
    theirs.enable_truncation(2)
    theirs.enable_padding(length=8)
    assert TextTokenizer(theirs.to_str().encode()).encode("ab ab ab") == [260, 260, 260]


def test_special_tokens_are_found_by_their_text():
    theirs = Tokenizer.from_str(sentencepiece(LLAMA_DECODER).decode())
    theirs.add_special_tokens(["<|end|>"])
    tokenizer = TextTokenizer(theirs.to_str().encode())
    assert tokenizer.special_tokens(["<|end|>", "x", "<plain>"]) == {263}
    assert tokenizer.special_tokens(["<|end|>", "<s>"]) == {261, 263}
    assert tokenizer.special_tokens(["|end|", "<plain>\n"]) == set()
    with pytest.raises(TercelError, match=r"must stand alone, but '<s>' is a part of 'a<s>'"):
        tokenizer.special_tokens(["<s>", "a<s>"])


def test_lone_surrogates_are_refused(tokenizer):
    with pytest.raises(TercelError, match="must be valid UTF-8"):
        tokenizer.encode("a\udcff")


def test_a_malformed_tokenizer_is_refused():
    with pytest.raises(TercelError, match=r"not a valid tokenizer\.json"):
        TextTokenizer(b"{}")


def test_other_decoders_are_refused():
    data = json.loads(sentencepiece(LLAMA_DECODER))
    data["decoder"] = {"type": "WordPiece", "prefix": "##", "cleanup": True}
    with pytest.raises(TercelError, match="must be ByteLevel, ByteFallback or Metaspace, not Word"):
        TextTokenizer(json.dumps(data).encode())


def test_an_image_without_tokenizer_says_so(tmp_path):
    path = tmp_path / "mute.tercel"
    random_image(path, PRESETS["tiny"])
    with pytest.raises(TercelError, match=r"mute\.tercel has no tokenizer"):
        TextTokenizer.of_image(Image.open(path))
