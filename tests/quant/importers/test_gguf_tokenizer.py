import json

import pytest
from tokenizers import SentencePieceBPETokenizer, Tokenizer, pre_tokenizers

from tercel.errors import TercelError
from tercel_quant.importers.gguf_tokenizer import tokenizer_json

SAMPLES = ["the tape", " weights  12 345\n", "never_waits! ünknown 你", "<|endoftext|>x"]


def byte_level(tokenizer: Tokenizer, **keys):
    model = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].__getitem__)
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.merges": [" ".join(merge) for merge in model["merges"]],
        "tokenizer.ggml.token_type": [3] + [1] * (len(tokens) - 1),
        "tokenizer.ggml.pre": "gpt-2",
    } | {f"tokenizer.ggml.{key}": value for key, value in keys.items()}


def test_byte_level_equals_its_source(tokenizer):
    ours = Tokenizer.from_str(tokenizer_json(byte_level(tokenizer)).decode())
    for sample in SAMPLES:
        assert ours.encode(sample).ids == tokenizer.encode(sample).ids
        assert ours.decode(ours.encode(sample).ids, skip_special_tokens=False) == sample


def test_smollm_splits_digits(tokenizer):
    ours = Tokenizer.from_str(tokenizer_json(byte_level(tokenizer, pre="smollm")).decode())
    theirs = Tokenizer.from_str(tokenizer.to_str())
    theirs.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    assert ours.encode("a 123").tokens[-3:] == ["1", "2", "3"]
    assert ours.encode("a 123").ids == theirs.encode("a 123").ids


def test_llama3_splits_three_digits(tokenizer):
    ours = Tokenizer.from_str(
        tokenizer_json(byte_level(tokenizer, pre="llama-bpe", bos_token_id=0)).decode()
    )
    words = [word for word, _ in ours.pre_tokenizer.pre_tokenize_str("it's 12345\n\nx")]
    assert words == ["it", "'s", "Ġ", "123", "45", "ĊĊ", "x"]


def test_first_token_is_added_where_the_file_says_so(tokenizer):
    keys = byte_level(tokenizer, add_bos_token=True, bos_token_id=0)
    ours = Tokenizer.from_str(tokenizer_json(keys).decode())
    assert ours.encode("the").ids == [0, *tokenizer.encode("the").ids]


def test_llama3_begins_with_the_first_token_unless_the_file_says_otherwise(tokenizer):
    keys = byte_level(tokenizer, pre="llama-bpe", bos_token_id=0)
    ours = Tokenizer.from_str(tokenizer_json(keys).decode())
    plain = ours.encode("the", add_special_tokens=False).ids
    assert ours.encode("the").ids == [0, *plain]
    keys["tokenizer.ggml.add_bos_token"] = False
    assert Tokenizer.from_str(tokenizer_json(keys).decode()).encode("the").ids == plain


def test_user_defined_tokens_are_matched_whole(tokenizer):
    keys = byte_level(tokenizer)
    keys["tokenizer.ggml.tokens"][-1] = "<tool>"
    keys["tokenizer.ggml.token_type"][-1] = 4
    keys["tokenizer.ggml.merges"].pop()
    ours = Tokenizer.from_str(tokenizer_json(keys).decode())
    assert "<tool>" in ours.encode("the<tool>tape").tokens


@pytest.fixture(scope="module")
def sentence_piece(text):
    """A SentencePiece BPE, and its GGUF keys: scores fall in the order of the merges."""
    source = SentencePieceBPETokenizer(add_prefix_space=True)
    specials = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    source.train_from_iterator([text], vocab_size=340, special_tokens=specials, show_progress=False)
    model = json.loads(source.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].__getitem__)
    merges = model["merges"]
    rank = {"".join(merge): index for index, merge in reversed(list(enumerate(merges)))}
    keys = {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.scores": [-float(rank.get(token, len(merges))) for token in tokens],
        "tokenizer.ggml.token_type": [2, 3, 3] + [6] * 256 + [1] * (len(tokens) - 259),
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.unknown_token_id": 0,
    }
    return source, keys


def test_sentence_piece_equals_its_source(sentence_piece):
    source, keys = sentence_piece
    ours = Tokenizer.from_str(tokenizer_json(keys).decode())
    for sample in ("the tape never waits", "weights are once", "pass the memory  for"):
        assert ours.encode(sample).ids == [1, *source.encode(sample).ids]
        assert ours.decode(ours.encode(sample).ids) == sample


def test_sentence_piece_falls_back_to_bytes(sentence_piece):
    ours = Tokenizer.from_str(tokenizer_json(sentence_piece[1]).decode())
    assert "<0xC3>" in ours.encode("ü").tokens
    assert ours.decode(ours.encode("the ü 你").ids) == "the ü 你"


def test_sentence_piece_without_prefix_and_first_token(sentence_piece):
    keys = sentence_piece[1] | {
        "tokenizer.ggml.add_space_prefix": False,
        "tokenizer.ggml.add_bos_token": False,
    }
    ours = Tokenizer.from_str(tokenizer_json(keys).decode())
    assert not ours.encode("the").tokens[0].startswith("▁")
    assert ours.decode(ours.encode("the tape").ids) == "the tape"


def test_file_without_tokenizer():
    assert tokenizer_json({}) is None


def test_kinds_refused(tokenizer):
    with pytest.raises(
        TercelError, match=r"tokenizer.ggml.model must be one of gpt2, llama, not 'bert"
    ):
        tokenizer_json({"tokenizer.ggml.model": "bert"})
    with pytest.raises(
        TercelError, match=r"tokenizer.ggml.pre must be one of gpt-2, smollm, .*, not 'default'"
    ):
        tokenizer_json(byte_level(tokenizer, pre="default"))
    with pytest.raises(
        TercelError, match=r"the field tokenizer.ggml.pre, the rule that splits .*, is missing"
    ):
        tokenizer_json(byte_level(tokenizer, pre=None))


@pytest.mark.parametrize(
    ("keys", "rule"),
    [
        ({"tokens": None}, "the field tokenizer.ggml.tokens is missing"),
        ({"tokens": ["a", 3]}, r"tokenizer.ggml.tokens\[1\] must be a string"),
        ({"merges": None}, "the field tokenizer.ggml.merges is missing"),
        ({"merges": ["ab"]}, "a merge must join two tokens, but one is 'ab'"),
        ({"merges": ["no such"]}, "the tokenizer of the GGUF file is damaged"),
        ({"token_type": [1]}, "token_type must have an item for each of the 300 tokens, not 1"),
        ({"bos_token_id": 300}, "bos_token_id must be below the 300 tokens, not 300"),
        ({"add_bos_token": 1}, "add_bos_token must be true or false, not 1"),
        ({"remove_extra_whitespaces": True}, "dropping white space is not supported"),
        ({"strip_accents": True}, r"tokenizer.ggml.strip_accents \(True\) is not known"),
    ],
)
def test_damaged_tokenizers_refused(tokenizer, keys, rule):
    with pytest.raises(TercelError, match=f"{rule}.*give a tokenizer.json with --tokenizer"):
        tokenizer_json(byte_level(tokenizer, **keys))


def test_scores_are_needed(sentence_piece):
    keys = {name: value for name, value in sentence_piece[1].items() if "scores" not in name}
    with pytest.raises(TercelError, match=r"the field tokenizer.ggml.scores is missing"):
        tokenizer_json(keys)


def test_sizes_of_vocabularies_are_limited(tokenizer, monkeypatch):
    with pytest.raises(TercelError, match="tokens has 524289 tokens, but at most 524288 are read"):
        tokenizer_json(byte_level(tokenizer, tokens=[""] * 524289))
    pieces = [*("a" * size for size in range(1, 40)), "<unk>"]
    keys = {"model": "llama", "tokens": pieces, "scores": [0.0] * len(pieces)}
    keys |= {"unknown_token_id": 39, "add_bos_token": False}
    metadata = {f"tokenizer.ggml.{key}": value for key, value in keys.items()}
    assert tokenizer_json(metadata)
    monkeypatch.setattr("tercel_quant.importers.sentencepiece_tokenizer.MOST_MERGES", 99)
    with pytest.raises(TercelError, match="its tokens can be merged in more than 99 ways; give"):
        tokenizer_json(metadata)
    monkeypatch.setattr("tercel_quant.importers.sentencepiece_tokenizer.MOST_CHARACTERS", 99)
    with pytest.raises(TercelError, match="its tokens have 785 characters, but 99 are read; give"):
        tokenizer_json(metadata)
