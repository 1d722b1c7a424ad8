"""Vocabularies written to GGUF and read again give the same tokens."""

import dataclasses
import json
import unicodedata
from pathlib import Path

import pytest
from gguf import GGUFReader
from llama_cpp import LlamaCpp
from random_exports import write_image
from text_samples import text_samples
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers

from tercel.config import PRESETS
from tercel.errors import TercelError
from tercel.image import ChatFormat
from tercel.runtime import TextTokenizer
from tercel_export.gguf.word_rules import WORD_RULES, byte_level_tokenizer
from tercel_export.gguf.writer import write_gguf
from tercel_quant.importers import open_checkpoint
from tercel_quant.importers.sentencepiece_tokenizer import put_in_front

SPACE = "\N{LOWER ONE EIGHTH BLOCK}"


def config(**changes):
    return dataclasses.replace(PRESETS["tiny"], layers=1, **changes)


def written(folder: Path, tokenizer: Tokenizer, *, chat=None, **changes):
    """The file of a model with a tokenizer."""
    image = write_image(
        folder / "model.tercel", config(**changes), tokenizer=tokenizer.to_str().encode(), chat=chat
    )
    list(write_gguf(image, folder / "model.gguf"))
    return folder / "model.gguf"


def byte_level(rule="qwen2"):
    """A vocabulary of all bytes, some joint tokens, a special and a further token."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = ["t h", "th e", "Ġ the", "1 2", "Ġ Ġ"]
    joint = [merge.replace(" ", "") for merge in merges]
    tokenizer = byte_level_tokenizer([*alphabet, *joint], merges, WORD_RULES[rule])
    tokenizer.add_special_tokens([AddedToken("<|end|>", special=True, normalized=False)])
    tokenizer.add_tokens([AddedToken("<tool>", normalized=False)])
    return tokenizer


def sentence_piece(merges=("t h", "th e", f"{SPACE} the")):
    """A vocabulary with byte fallback, as `transformers` makes of Llama 2's."""
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    pieces += [SPACE, *"abcdefghijklmnopqrstuvwxyz"]
    pairs = [tuple(merge.split(" ")) for merge in merges]
    pieces += dict.fromkeys(left + right for left, right in pairs)
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    tokenizer = Tokenizer(
        models.BPE(vocabulary, pairs, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend(SPACE), normalizers.Replace(" ", SPACE)]
    )
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace(SPACE, " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    put_in_front(tokenizer, "<s>")
    return tokenizer


def same_tokens(path, tokenizer):
    """The importer and llama.cpp give the tokens of the tokenizer."""
    again, llama = TextTokenizer(open_checkpoint(path).tokenizer()), LlamaCpp(path)
    own = TextTokenizer(tokenizer.to_str().encode())
    for text in [*text_samples(150, seed=1), "the <|end|>12 the<tool>", "the</s>  the"]:
        assert again.encode(text) == own.encode(text), text
        # llama.cpp does not compose characters, as qwen2's own tokenizer does.
        if unicodedata.is_normalized("NFC", text):
            assert llama.tokenize(text) == own.encode(text), text


@pytest.mark.parametrize("rule", ["gpt-2", "smollm", "llama-bpe", "qwen2"])
def test_byte_level_vocabularies_come_back(rule, tmp_path):
    tokenizer = byte_level(rule)
    path = written(tmp_path, tokenizer, vocab_size=300, eos_tokens=(261,))
    assert _field(path, "tokenizer.ggml.pre") == rule
    same_tokens(path, tokenizer)


def test_sentencepiece_vocabularies_come_back(tmp_path):
    tokenizer = sentence_piece()
    path = written(tmp_path, tokenizer, vocab_size=320, bos_token=1, eos_tokens=(2,))
    assert _field(path, "tokenizer.ggml.model") == "llama"
    assert _field(path, "tokenizer.ggml.add_bos_token") is True
    same_tokens(path, tokenizer)


def test_ids_without_a_token_are_filled_up(tmp_path):
    path = written(tmp_path, byte_level(), vocab_size=300)
    tokens, types = (_field(path, f"tokenizer.ggml.{key}") for key in ("tokens", "token_type"))
    assert len(tokens) == len(types) == 300
    assert (tokens[299], types[299]) == ("[PAD299]", 5)
    assert (tokens[261], types[261]) == ("<|end|>", 3)
    assert (tokens[262], types[262]) == ("<tool>", 4)


def test_special_tokens_and_the_template_are_written(tmp_path):
    chat = ChatFormat(template="{{ bos_token }}{{ messages }}", special_tokens={})
    path = written(
        tmp_path, byte_level(), vocab_size=300, bos_token=3, eos_tokens=(261, 5, 6, 7), chat=chat
    )
    keys = {
        f"{name}_token_id": _field(path, f"tokenizer.ggml.{name}_token_id")
        for name in ("bos", "eos", "eot", "eom")
    }
    assert list(keys.values()) == [3, 261, 5, 6]
    assert _field(path, "tokenizer.chat_template") == chat.template


def test_an_image_without_a_tokenizer_says_so(tmp_path):
    image = write_image(tmp_path / "model.tercel", config())
    list(write_gguf(image, tmp_path / "model.gguf"))
    assert _field(tmp_path / "model.gguf", "tokenizer.ggml.model") == "none"


def test_an_unknown_rule_for_words_is_refused(tmp_path):
    tokenizer = byte_level()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Punctuation(), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    with pytest.raises(TercelError, match=r"no tokenizer like this image's: its rule for words"):
        written(tmp_path, tokenizer, vocab_size=300)
    assert not (tmp_path / "model.gguf").exists()


def test_merges_that_stand_apart_are_refused(tmp_path):
    tokenizer = sentence_piece(("t h", "h e", "th e", f"{SPACE} th", "t he"))
    with pytest.raises(TercelError, match=r"its merges into 'the' stand apart"):
        written(tmp_path, tokenizer, vocab_size=320)


def test_another_model_is_refused(tmp_path):
    fields = json.loads(byte_level().to_str())
    fields["model"] = {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}
    with pytest.raises(TercelError, match=r"its model is WordLevel, but only BPE is written"):
        written(tmp_path, Tokenizer.from_str(json.dumps(fields)), vocab_size=300)


def _field(path, key):
    return GGUFReader(path).fields[key].contents()
