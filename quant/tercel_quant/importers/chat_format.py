"""The chat template of a checkpoint, with the special tokens that it may write."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tercel.errors import TercelError
from tercel.image import ChatFormat
from tercel_quant.importers.fields import describe
from tercel_quant.importers.json_file import read_bytes, read_object

__all__ = ["gguf_chat", "huggingface_chat"]

SPECIAL_TOKENS = ("bos", "eos", "unk", "sep", "pad", "cls", "mask")
"""Tokens that ``transformers`` gives to a template, each as the variable ``{name}_token``."""
GGUF_NAMES = {"unk": "unknown", "sep": "seperator", "pad": "padding"}
"""The same in GGUF, where the name differs; the spelling is that of the format."""
DEFAULT = "default"
"""Name of the template to take where a checkpoint has several."""


def huggingface_chat(folder: Path) -> ChatFormat | None:
    """The template of ``chat_template.jinja``, else of ``tokenizer_config.json``.

    Raises
    ------
    TercelError
        If a file is malformed.
    """
    path = folder / "tokenizer_config.json"
    config = read_object(path) if path.exists() else {}
    separate = folder / "chat_template.jinja"
    if separate.exists():
        try:
            template: Any = read_bytes(separate).decode()
        except UnicodeDecodeError as error:
            raise TercelError(f"{separate} must be UTF-8: {error}") from None
        path = separate
    else:
        template = config.get("chat_template")
    if isinstance(template, list):
        template = _named(template, path)
    if template is None:
        return None
    further = folder / "special_tokens_map.json"
    texts = read_object(further) if further.exists() else {}
    tokens = {}
    for kind in SPECIAL_TOKENS:
        name = f"{kind}_token"
        text = config[name] if name in config else texts.get(name)
        if isinstance(text, dict):
            text = text.get("content")
        if text is not None:
            tokens[name] = text
    return _format(template, tokens, path)


def gguf_chat(metadata: Mapping[str, Any]) -> ChatFormat | None:
    """The template ``tokenizer.chat_template`` of a GGUF file.

    Raises
    ------
    TercelError
        If it is malformed.
    """
    template = metadata.get("tokenizer.chat_template")
    if template is None:
        return None
    texts = metadata.get("tokenizer.ggml.tokens") or []
    tokens = {}
    for kind in SPECIAL_TOKENS:
        token = metadata.get(f"tokenizer.ggml.{GGUF_NAMES.get(kind, kind)}_token_id")
        if isinstance(token, int) and 0 <= token < len(texts):
            tokens[f"{kind}_token"] = texts[token]
    return _format(template, tokens, "tokenizer.chat_template")


def _named(templates: list[Any], path: Path) -> Any:
    """The default one of several templates, if there is one."""
    for entry in templates:
        if not isinstance(entry, dict):
            raise TercelError(f"{path}: a named chat_template must be an object")
        if entry.get("name") == DEFAULT:
            return entry.get("template")
    return None


def _format(template: Any, tokens: dict[str, Any], source: Path | str) -> ChatFormat:
    if not isinstance(template, str):
        raise TercelError(f"{source}: chat_template must be a text, not {describe(template)}")
    try:
        return ChatFormat(template=template, special_tokens=tokens)
    except TercelError as error:
        raise TercelError(f"{source}: {error}; correct it or remove it") from None
