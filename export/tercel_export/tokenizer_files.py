"""The files beside exported weights from which other tools make the tokenizer."""

import json
from typing import Any

from tokenizers import Tokenizer

from tercel.config import ModelConfig
from tercel.image import Image

__all__ = ["FILES", "tokenizer_files"]

FILES = ("tokenizer.json", "tokenizer_config.json")


def tokenizer_files(image: Image) -> dict[str, bytes]:
    """Name to content of the tokenizer's files; empty for an image without a tokenizer."""
    if image.tokenizer is None:
        return {}
    config = json.dumps(_tokenizer_config(image.config, image.tokenizer), indent=2)
    return {"tokenizer.json": image.tokenizer, "tokenizer_config.json": config.encode()}


def _tokenizer_config(config: ModelConfig, tokenizer: bytes) -> dict[str, Any]:
    token = Tokenizer.from_str(tokenizer.decode()).id_to_token
    fields: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": config.context,
        "clean_up_tokenization_spaces": False,
    }
    if config.bos_token is not None:
        fields["bos_token"] = token(config.bos_token)
    if config.eos_tokens:
        fields["eos_token"] = token(config.eos_tokens[0])
    return fields
