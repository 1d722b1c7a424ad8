"""One rule for the tokens in front of a text: the tokenizer's, as transformers applies it."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast
from typer.testing import CliRunner

from tercel.cli.app import app
from tercel.image import Image
from tercel.runtime import TextTokenizer
from tercel_quant.convert import convert
from tercel_quant.text import text_windows

pytestmark = pytest.mark.filterwarnings("ignore:.*script_method:DeprecationWarning")

BEGIN = "<|endoftext|>"
"""Token 0 of the tokenizer of these tests."""


@pytest.fixture(params=["config", "tokenizer", "both", "neither"])
def named_by(request):
    """The files of a checkpoint that declare its begin token."""
    return request.param


@pytest.fixture
def checkpoint(llama, tokenizer, named_by):
    folder, _ = llama()
    config = json.loads((folder / "config.json").read_text())
    config["bos_token_id"] = 0 if named_by in ("config", "both") else None
    (folder / "config.json").write_text(json.dumps(config))
    own = Tokenizer.from_str(tokenizer.to_str())
    if named_by in ("tokenizer", "both"):
        template = {"single": f"{BEGIN} $A", "special_tokens": [(BEGIN, 0)]}
        own.post_processor = TemplateProcessing(**template)
    own.save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture
def image(checkpoint, tmp_path):
    convert(checkpoint, tmp_path / "m.tercel", method="absmean")
    return Image.open(tmp_path / "m.tercel")


def test_every_way_into_the_model_begins_as_transformers_does(checkpoint, image, named_by, text):
    theirs = PreTrainedTokenizerFast(tokenizer_file=str(checkpoint / "tokenizer.json"))
    begin = [0] if named_by in ("tokenizer", "both") else []
    tokenizer = TextTokenizer.of_image(image)

    @settings(deadline=None)
    @given(st.text(st.characters(codec="utf-8"), min_size=1))
    def check(prompt):
        expected = theirs(prompt).input_ids
        assert expected[: len(begin)] == begin
        assert tokenizer.encode(prompt) == expected

    check()
    prompt = "the weights"
    run = CliRunner().invoke(app, ["run", str(image.path), "-p", prompt, "-n", "1", "--json"])
    summary = json.loads(run.stdout.splitlines()[-1])
    assert summary["statistics"]["prompt_tokens"] == len(theirs(prompt).input_ids)
    windows = text_windows(text, tokenizer, context=16)
    assert windows[0].tolist() == theirs(text).input_ids[:16]
    assert (windows[:, : len(begin)] == 0).all()
    written = f"{BEGIN}{prompt}"
    assert tokenizer.encode(written) == theirs(written, add_special_tokens=False).input_ids
