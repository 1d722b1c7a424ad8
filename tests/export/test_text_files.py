import json

from transformers import AutoTokenizer

from tercel.runtime import TextTokenizer
from tercel_export.text_files import FILES, text_files

TEXT = "In 1862 — «café», 409 ships!\n\n\tThe end."


def test_transformers_makes_the_same_tokenizer(small, tmp_path):
    for name, content in text_files(small).items():
        (tmp_path / name).write_bytes(content)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    assert tokenizer.encode(TEXT) == TextTokenizer.of_image(small).encode(TEXT)
    assert tokenizer.decode(tokenizer.encode(TEXT)) == TEXT
    assert tokenizer.eos_token_id == small.config.eos_tokens[0]


def test_the_config_has_the_models_context(small):
    config = json.loads(text_files(small)["tokenizer_config.json"])
    assert config["model_max_length"] == small.config.context


def test_an_image_without_a_tokenizer_has_its_tokens_alone(image):
    assert list(text_files(image)) == ["generation_config.json"]
