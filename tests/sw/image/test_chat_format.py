import json
import re

import pytest
from safetensors import safe_open

from tercel.config import PRESETS
from tercel.errors import TercelError
from tercel.image import ChatFormat, Image, SamplingFilters, random_image

CHAT = ChatFormat(
    template="{{ bos_token }}{% for m in messages %}„{{ m['content'] }}“\n{% endfor %}",
    special_tokens={"bos_token": "<s>"},
)
SAMPLING = SamplingFilters(temperature=0.6, top_k=20, top_p=0.9, min_p=0.05)


def test_an_image_carries_template_and_sampling(tmp_path):
    path = tmp_path / "m.tercel"
    random_image(path, PRESETS["tiny"], chat=CHAT, sampling=SAMPLING)
    image = Image.open(path)
    assert (image.chat, image.sampling) == (CHAT, SAMPLING)
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
    assert metadata["version"] == "2"
    assert json.loads(metadata["chat"])["template"] == CHAT.template
    assert image.checksum == metadata["checksum"]


def test_an_image_without_them_has_the_bytes_of_before(tmp_path):
    path = tmp_path / "m.tercel"
    random_image(path, PRESETS["tiny"])
    image = Image.open(path)
    assert (image.chat, image.sampling) == (None, None)
    with safe_open(path, framework="numpy") as file:
        assert set(file.metadata()) == {
            "checksum",
            "format",
            "version",
            "config",
            "layout",
            "segments",
        }


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "the chat format lacks the fields: template"),
        ({"template": " \n"}, "a chat template must be a text, not an empty one"),
        ({"template": 1}, "a chat template must be a text"),
        ({"template": "x" * (1 << 20) + "x"}, "a chat template has at most 1048576 characters"),
        ({"template": "x", "special_tokens": {"bos_token": 1}}, "must be an object of texts"),
        ({"template": "x", "special_tokens": ["<s>"]}, "must be an object of texts"),
        ({"template": "x", "more": 1}, "the chat format has unknown fields: more"),
    ],
)
def test_rules_of_the_template(fields, message):
    with pytest.raises(TercelError, match=re.escape(message)):
        ChatFormat.from_json(json.dumps(fields))
