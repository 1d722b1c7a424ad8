import dataclasses

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from typer.testing import CliRunner

from tercel.cli.app import app
from tercel.config import PRESETS
from tercel.image import Image, random_image
from tercel.runtime import TextTokenizer
from tercel.speculation.acceptors import load_judge
from tercel.speculation.drafter_file import load_drafter
from tercel.speculation.drafters.ngram import NgramDrafter
from tercel.speculation.drafters.ngram_store import NgramStore


@pytest.fixture
def image(tmp_path):
    """A model whose tokens are bytes, and 256 for the end of a text."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<end>"])
    path = tmp_path / "tiny.tercel"
    config = dataclasses.replace(PRESETS["tiny"], vocab_size=257, eos_tokens=(256,))
    random_image(path, config, tokenizer=tokenizer.to_str().encode())
    return path


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_store_is_counted_from_texts(image, tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("the cat and the dog\n<|endoftext|>\nthe cow")
    options = ["--text", text, "--text", text, "--order", "3"]
    result = run("train-drafter", "ngram", image, *options)
    assert result.exit_code == 0, result.output
    assert "56 tokens" in result.stderr  # two documents and their ends, twice
    path = tmp_path / "tiny.ngram.drafter"
    assert result.stdout.startswith(f"{path}: ")
    opened = Image.open(image)
    file = load_drafter(path, kind="ngram", image=opened)
    assert file.settings == {"order": 3, "tokens": 56}
    tokenizer = TextTokenizer.of_image(opened)
    context = tokenizer.encode("the")[::-1]
    found = NgramStore.of_tensors(file.tensors).candidates(context)
    assert tokenizer.decode([int(found.ids[0])]) == " "
    NgramDrafter.open(opened, None)


def test_the_output_may_be_named_and_mistakes_write_nothing(image, tmp_path):
    text, other = tmp_path / "text.txt", tmp_path / "other.drafter"
    text.write_text("a text")
    assert run("train-drafter", "ngram", image, "--text", text, "-o", other).exit_code == 0
    assert other.is_file()
    other.unlink()
    empty = tmp_path / "empty.txt"
    empty.touch()
    for options, message in (
        (["--text", tmp_path / "none.txt"], "cannot be read"),
        (["--text", empty], "there is no text in"),
        (["--text", text, "--order", "0"], "order of an n-gram store must be 1 or more, not 0"),
        (["--text", text, "--size", "0"], "bytes of an n-gram store must be 4096 or more"),
        (["--text", text, "--size", "inf"], "--size must be a finite number of megabytes, not inf"),
        (["--text", text, "--size", "nan"], "--size must be a finite number of megabytes, not nan"),
    ):
        result = run("train-drafter", "ngram", image, *options, "-o", other)
        assert result.exit_code == 2
        assert message in result.stderr
    assert not other.exists()


def test_a_judge_is_trained_from_texts_and_judges(image, tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("a cat, a dog, a cow. " * 60)
    options = ["--text", text, "--windows", "20", "--length", "20", "--places", "8"]
    result = run("train-drafter", "judge", image, *options)
    assert result.exit_code == 0, result.output
    path = tmp_path / "tiny.judge.drafter"
    assert result.stdout.startswith(f"{path}: 160 examples, ")
    opened = Image.open(image)
    settings = load_drafter(path, kind="judge", image=opened).settings
    assert settings["examples"] == 160
    assert load_judge(opened).weight.shape == (opened.config.hidden_size,)
    refused = run("train-drafter", "judge", image, "--text", text, "--windows", "9999")
    assert refused.exit_code == 2
    assert "pieces of 96 tokens, not 9999" in refused.stderr
