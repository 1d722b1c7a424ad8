"""The files beside exported weights from which other tools make the tokenizer, chats and texts."""

import json
from typing import Any

from tokenizers import Tokenizer

from tercel.image import Image

__all__ = ["FILES", "text_files"]

FILES = ("generation_config.json", "tokenizer.json", "tokenizer_config.json")


def text_files(image: Image) -> dict[str, bytes]:
    """Name to content of the files; those of the tokenizer only if the image has one."""
    files = {"generation_config.json": _json(_generation_config(image))}
    if image.tokenizer is not None:
        files["tokenizer.json"] = image.tokenizer
        files["tokenizer_config.json"] = _json(_tokenizer_config(image, image.tokenizer))
    return files


def _json(fields: dict[str, Any]) -> bytes:
    return (json.dumps(fields, indent=2) + "\n").encode()


def _generation_config(image: Image) -> dict[str, Any]:
    config, sampling = image.config, image.sampling
    fields: dict[str, Any] = {}
    if config.bos_token is not None:
        fields["bos_token_id"] = config.bos_token
    if config.eos_tokens:
        fields["eos_token_id"] = list(config.eos_tokens)
    if sampling is not None and sampling.temperature == 0:
        fields["do_sample"] = False
    elif sampling is not None:
        fields |= {"do_sample": True, **sampling.to_fields()}
    return fields


def _tokenizer_config(image: Image, tokenizer: bytes) -> dict[str, Any]:
    config = image.config
    fields: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": config.context,
        "clean_up_tokenization_spaces": False,
    }
    if image.chat is not None:
        return fields | dict(image.chat.special_tokens) | {"chat_template": image.chat.template}
    token = Tokenizer.from_str(tokenizer.decode()).id_to_token
    if config.bos_token is not None:
        fields["bos_token"] = token(config.bos_token)
    if config.eos_tokens:
        fields["eos_token"] = token(config.eos_tokens[0])
    return fields
