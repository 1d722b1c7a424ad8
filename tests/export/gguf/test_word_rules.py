"""GGUF vocabularies against the tokenizers of transformers, on a thousand texts each."""

import json
from pathlib import Path

import pytest
from text_samples import PARTS, text_samples
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import GPT2Tokenizer, PreTrainedTokenizerFast, Qwen2Tokenizer
from transformers.convert_slow_tokenizer import TikTokenConverter

from tercel.errors import TercelError
from tercel.runtime import TextTokenizer
from tercel_export.gguf.word_rules import (
    WORD_RULES,
    byte_level_tokenizer,
    rule_of_vocabulary,
)
from tercel_quant.importers.gguf_tokenizer import tokenizer_json

pytestmark = pytest.mark.filterwarnings("ignore:.*script_method:DeprecationWarning")

DOCS = Path(__file__).parents[3] / "docs"
SPECIAL = ("<|begin_of_text|>", "<|eot_id|>", "<|endoftext|>", "<|im_end|>")


@pytest.fixture(scope="module")
def vocabulary() -> tuple[list[str], list[str]]:
    """Tokens and merges of text with words, digits and white space of every length."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=700,
        special_tokens=[*SPECIAL],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    text = (DOCS / "numerics.md").read_text()[:8000] + " 12 345 6789 0123 \n\n\n\t  \r\n" * 50
    tokenizer.train_from_iterator([text + "".join(PARTS) * 20], trainer)
    model = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].__getitem__)
    return tokens, [" ".join(merge) for merge in model["merges"]]


def ours(vocabulary, pre: str | None, **keys) -> Tokenizer:
    tokens, merges = vocabulary
    metadata = {
        "model": "gpt2",
        "tokens": tokens,
        "merges": merges,
        "token_type": [3 if token in SPECIAL else 1 for token in tokens],
        "pre": pre,
        "bos_token_id": 0,
    } | keys
    data = tokenizer_json({f"tokenizer.ggml.{key}": value for key, value in metadata.items()})
    assert data is not None
    TextTokenizer(data)  # an image takes it
    return Tokenizer.from_str(data.decode())


def compare(tokenizer: Tokenizer, theirs, seed: int, *, composed: bool = False) -> None:
    for text in text_samples(1000, seed, SPECIAL):
        expected = theirs(text).input_ids
        assert tokenizer.encode(text).ids == expected, repr(text)
        if not composed:
            assert tokenizer.decode(expected, skip_special_tokens=False).endswith(text)


def llama_3(vocabulary, tmp_path, *, first: bool) -> PreTrainedTokenizerFast:
    """``tokenizer.json`` as Llama 3 and Falcon 3 publish it, with transformers' expression."""
    tokens, merges = vocabulary
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    begin = {"id": "<|begin_of_text|>", "type_id": 0}
    processors = [
        byte_level | {"trim_offsets": False, "use_regex": True},
        {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": begin}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [
                {"Sequence": {"id": "A", "type_id": 0}},
                {"Sequence": {"id": "B", "type_id": 1}},
            ],
            "special_tokens": {
                begin["id"]: {"id": begin["id"], "ids": [0], "tokens": [begin["id"]]}
            },
        },
    ]
    content = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": tokens.index(token),
                "content": token,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
            for token in SPECIAL
        ],
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {
                    "type": "Split",
                    "pattern": {"Regex": TikTokenConverter().pattern},
                    "behavior": "Isolated",
                    "invert": False,
                },
                byte_level | {"use_regex": False},
            ],
        },
        "post_processor": {"type": "Sequence", "processors": processors[: 1 + first]},
        "decoder": byte_level | {"use_regex": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": True,
            "vocab": {token: index for index, token in enumerate(tokens)},
            "merges": merges,
        },
    }
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(content))
    return PreTrainedTokenizerFast(tokenizer_file=str(path))


@pytest.mark.parametrize("pre", ["llama-bpe", "falcon3", "falcon_e", None])
def test_llama_3_and_falcon_3(vocabulary, tmp_path, pre):
    """Without `pre`, the vocabulary of Llama 3 is known by its begin token."""
    compare(ours(vocabulary, pre), llama_3(vocabulary, tmp_path, first=True), seed=0)


def test_begin_token_can_be_switched_off(vocabulary, tmp_path):
    tokenizer = ours(vocabulary, "falcon3", add_bos_token=False)
    compare(tokenizer, llama_3(vocabulary, tmp_path, first=False), seed=1)


def test_words_that_are_tokens_are_not_merged(vocabulary, tmp_path):
    """Llama 3's vocabulary has words that its merges do not make."""
    tokens, merges = vocabulary
    word = max((t for t in tokens if t.startswith("Ġ") and t[1:].isalpha()), key=len)
    fewer = [merge for merge in merges if merge.replace(" ", "") != word]
    assert len(fewer) < len(merges)
    pair = (tokens, fewer)
    text = f"a{word.replace('Ġ', ' ')} b"
    tokenizer = ours(pair, "llama-bpe")
    assert tokens.index(word) in tokenizer.encode(text).ids
    assert tokens.index(word) not in ours(pair, "gpt-2").encode(text).ids
    compare(tokenizer, llama_3(pair, tmp_path, first=True), seed=2)


def test_qwen_2(vocabulary):
    tokens, merges = vocabulary
    theirs = Qwen2Tokenizer(
        vocab={token: index for index, token in enumerate(tokens)},
        merges=[tuple(merge.split(" ")) for merge in merges],
        extra_special_tokens=list(SPECIAL),
    )
    compare(ours(vocabulary, "qwen2"), theirs, seed=3, composed=True)


def test_gpt_2(vocabulary):
    tokens, merges = vocabulary
    theirs = GPT2Tokenizer(
        vocab={token: index for index, token in enumerate(tokens)},
        merges=[tuple(merge.split(" ")) for merge in merges],
        extra_special_tokens=list(SPECIAL),
    )
    compare(ours(vocabulary, "gpt-2"), theirs, seed=4)


def test_rules_split_as_their_models_do(vocabulary):
    """Three digits a word for Llama 3, one for Qwen 2 and SmolLM, any number for GPT-2."""
    words = {}
    for name in ("gpt-2", "smollm", "llama-bpe", "qwen2"):
        tokenizer = byte_level_tokenizer(*vocabulary, WORD_RULES[name])
        words[name] = [w for w, _ in tokenizer.pre_tokenizer.pre_tokenize_str("it's 12345\n\nx")]
    assert words["gpt-2"] == ["it", "'s", "Ġ12345", "Ċ", "Ċ", "x"]
    assert words["smollm"] == ["it", "'s", "Ġ", *"12345", "Ċ", "Ċ", "x"]
    assert words["llama-bpe"] == ["it", "'s", "Ġ", "123", "45", "ĊĊ", "x"]
    assert words["qwen2"] == ["it", "'s", "Ġ", *"12345", "ĊĊ", "x"]


def test_rule_of_other_vocabularies_is_not_guessed():
    assert rule_of_vocabulary(["a", "<|endoftext|>"]) is None


def test_tokens_that_occur_twice_are_refused():
    with pytest.raises(TercelError, match="a token of the vocabulary occurs twice"):
        byte_level_tokenizer(["a", "b", "a"], [], WORD_RULES["gpt-2"])


def test_merges_of_one_part_are_refused():
    with pytest.raises(TercelError, match="a merge must join two tokens, but one is 'ab'"):
        byte_level_tokenizer(["a", "b"], ["ab"], WORD_RULES["gpt-2"])
