import dataclasses

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from tercel.config import PRESETS
from tercel.errors import TercelError
from tercel.image import Image, random_image
from tercel_quant.train_drafter.text import text_tokens


def make_image(folder, *, eos_tokens):
    vocabulary = {letter: index for index, letter in enumerate("abcdefghijklmnopqrstuvwxyz")}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="z"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.decoder = decoders.ByteLevel()
    config = dataclasses.replace(PRESETS["tiny"], vocab_size=26, eos_tokens=eos_tokens)
    random_image(folder / "a.tercel", config, tokenizer=tokenizer.to_str().encode())
    return Image.open(folder / "a.tercel")


def test_documents_are_joined_by_the_end_token(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("ab\n<|endoftext|>\nc\n<|endoftext|>\n")
    second.write_text("de")
    image = make_image(tmp_path, eos_tokens=(25, 24))
    assert text_tokens([second, first, second], image).tolist() == [
        *(3, 4, 25),
        *(0, 1, 25, 2, 25),
        *(3, 4, 25),
    ]
    assert text_tokens([first], make_image(tmp_path, eos_tokens=())).tolist() == [0, 1, 2]


def test_a_text_of_nothing_is_refused(tmp_path):
    (tmp_path / "empty").write_text(" \n<|endoftext|>\n")
    with pytest.raises(TercelError, match=r"there is no text in .*empty"):
        text_tokens([tmp_path / "empty"], make_image(tmp_path, eos_tokens=()))
