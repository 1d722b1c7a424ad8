import json
import re

import gguf
import pytest

from tercel.errors import TercelError
from tercel.image import ChatFormat, Image, SamplingFilters
from tercel_quant.convert import convert
from tercel_quant.importers import open_checkpoint
from tercel_quant.importers.chat_format import gguf_chat, huggingface_chat
from tercel_quant.importers.sampling_defaults import gguf_sampling

pytestmark = pytest.mark.filterwarnings("ignore:.*script_method:DeprecationWarning")

TEMPLATE = "{{ bos_token }}{% for m in messages %}{{ m.content }}{{ eos_token }}{% endfor %}"
CONFIG = {
    "chat_template": TEMPLATE,
    "bos_token": "<s>",
    "eos_token": {"__type": "AddedToken", "content": "</s>", "lstrip": False},
    "pad_token": None,
}


def write(folder, name, fields):
    text = fields if isinstance(fields, str) else json.dumps(fields)
    (folder / name).write_text(text, encoding="utf-8")


def test_the_image_gets_the_checkpoints_template_and_sampling(llama, tmp_path):
    folder, _ = llama()
    write(folder, "tokenizer_config.json", CONFIG)
    generation = {"do_sample": True, "temperature": 0.6, "top_p": 0.9, "repetition_penalty": 1.05}
    write(folder, "generation_config.json", generation)
    lines = []
    convert(folder, tmp_path / "m.tercel", method="absmean", report=lines.append)
    image = Image.open(tmp_path / "m.tercel")
    tokens = {"bos_token": "<s>", "eos_token": "</s>"}
    assert image.chat == ChatFormat(template=TEMPLATE, special_tokens=tokens)
    assert image.sampling == SamplingFilters(temperature=0.6, top_k=50, top_p=0.9)
    assert any("asks for repetition_penalty 1.05 in sampling" in line for line in lines)


def test_a_template_that_fails_is_kept_with_a_warning(llama, tmp_path):
    folder, _ = llama()
    write(folder, "tokenizer_config.json", {"chat_template": "{{ messages.__class__ }}"})
    lines = []
    convert(folder, tmp_path / "m.tercel", method="absmean", report=lines.append)
    assert Image.open(tmp_path / "m.tercel").chat is not None
    [warning] = [line for line in lines if "chat template" in line]
    assert warning.startswith(
        "warning: the chat template reaches outside its sandbox (list.__class"
    )
    assert warning.endswith("; `tercel chat` takes another with --template FILE")


def test_a_file_of_its_own_wins_and_old_files_name_the_tokens(tmp_path):
    write(tmp_path, "tokenizer_config.json", {"chat_template": "old", "bos_token": "<a>"})
    write(tmp_path, "special_tokens_map.json", {"bos_token": "<b>", "unk_token": "<u>"})
    write(tmp_path, "chat_template.jinja", "new ☃")
    assert huggingface_chat(tmp_path) == ChatFormat(
        template="new ☃", special_tokens={"bos_token": "<a>", "unk_token": "<u>"}
    )


def test_of_several_templates_the_default_counts(tmp_path):
    named = [{"name": "tool_use", "template": "t"}, {"name": "default", "template": "d"}]
    write(tmp_path, "tokenizer_config.json", {"chat_template": named})
    assert huggingface_chat(tmp_path) == ChatFormat(template="d")
    write(tmp_path, "tokenizer_config.json", {"chat_template": named[:1]})
    assert huggingface_chat(tmp_path) is None


def test_a_checkpoint_without_them(llama):
    checkpoint = open_checkpoint(llama()[0])
    assert checkpoint.chat() is None
    assert checkpoint.sampling().filters is None


@pytest.mark.parametrize(
    ("name", "content", "rule"),
    [
        ("tokenizer_config.json", "[", "tokenizer_config.json is not valid JSON"),
        ("tokenizer_config.json", {"chat_template": 3}, "chat_template must be a text, not 3"),
        ("tokenizer_config.json", {"chat_template": [1]}, "a named chat_template must be an objec"),
        ("tokenizer_config.json", {"chat_template": ""}, "json: a chat template must be a text"),
        ("chat_template.jinja", " ", "chat_template.jinja: a chat template must be a text"),
        ("tokenizer_config.json", CONFIG | {"bos_token": 1}, "must be an object of texts by name"),
    ],
)
def test_malformed_templates_are_refused(tmp_path, name, content, rule):
    write(tmp_path, name, content)
    with pytest.raises(TercelError, match=re.escape(rule)):
        huggingface_chat(tmp_path)


def test_a_template_must_be_utf8(tmp_path):
    (tmp_path / "chat_template.jinja").write_bytes(b"\xff")
    with pytest.raises(TercelError, match=r"chat_template\.jinja must be UTF-8"):
        huggingface_chat(tmp_path)


@pytest.mark.parametrize(
    ("fields", "expected", "ignored"),
    [
        ({"eos_token_id": 2}, None, 0),
        ({"do_sample": False, "temperature": 0.7}, SamplingFilters(), 0),
        ({"do_sample": True}, SamplingFilters(temperature=1.0, top_k=50), 0),
        ({"temperature": 0.7}, SamplingFilters(temperature=0.7, top_k=50), 0),
        (
            {"do_sample": True, "top_k": -1, "min_p": 0.1, "num_beams": 1},
            SamplingFilters(temperature=1.0, min_p=0.1),
            0,
        ),
        ({"num_beams": 4, "typical_p": 0.9, "repetition_penalty": 1.0}, None, 2),
    ],
)
def test_sampling_of_a_generation_config(llama, fields, expected, ignored):
    folder, _ = llama()
    write(folder, "generation_config.json", fields)
    found = open_checkpoint(folder).sampling()
    assert (found.filters, len(found.ignored)) == (expected, ignored)


def test_sampling_out_of_its_range_is_refused(llama):
    folder, _ = llama()
    write(folder, "generation_config.json", {"do_sample": True, "top_p": 2})
    rule = "generation_config.json: top_p must be above 0 and at most 1, not 2; correct it"
    with pytest.raises(TercelError, match=re.escape(rule)):
        open_checkpoint(folder).sampling()


def test_gguf_keys_are_those_of_the_library():
    metadata = {
        gguf.Keys.Tokenizer.CHAT_TEMPLATE: TEMPLATE,
        gguf.Keys.Tokenizer.LIST: ["<s>", "</s>", "<unk>", "<pad>"],
        gguf.Keys.Tokenizer.BOS_ID: 0,
        gguf.Keys.Tokenizer.EOS_ID: 1,
        gguf.Keys.Tokenizer.UNK_ID: 2,
        gguf.Keys.Tokenizer.PAD_ID: 3,
        gguf.Keys.Tokenizer.SEP_ID: 9,
        gguf.Keys.General.SAMPLING_TEMP: 0.6000000238418579,
        gguf.Keys.General.SAMPLING_TOP_P: 1.0,
        gguf.Keys.General.SAMPLING_PENALTY_REPEAT: 1.1,
    }
    assert gguf_chat(metadata) == ChatFormat(
        template=TEMPLATE,
        special_tokens={
            "bos_token": "<s>",
            "eos_token": "</s>",
            "unk_token": "<unk>",
            "pad_token": "<pad>",
        },
    )
    found = gguf_sampling(metadata)
    assert found.filters == SamplingFilters(temperature=0.6, top_k=40, top_p=1.0, min_p=0.05)
    assert found.ignored == ("penalty_repeat 1.1",)
    assert gguf_chat({}) is None
    assert gguf_sampling({}).filters is None
