"""The tokenizer of a Hugging Face folder that brings a SentencePiece model."""

from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer

from tercel.errors import TercelError
from tercel_quant.importers.fields import Text, describe
from tercel_quant.importers.json_file import read_bytes, read_object
from tercel_quant.importers.sentencepiece_model import SentencePieceModel
from tercel_quant.importers.sentencepiece_tokenizer import (
    Prefix,
    put_in_front,
    sentencepiece_tokenizer,
)
from tercel_quant.importers.sizes import TOKEN

__all__ = ["MODEL", "convert_folder"]

MODEL = "tokenizer.model"
LLAMA = ("LlamaTokenizer", "LlamaTokenizerFast")
"""Classes that put a space in front of a text in a way of their own."""


def convert_folder(folder: Path) -> bytes:
    """The bytes of a ``tokenizer.json`` with the results of ``transformers``.

    ``tokenizer_config.json`` says whether texts start with the begin token, and which tokens are
    added to the vocabulary; ``added_tokens.json`` is the older form of the latter.

    Raises
    ------
    TercelError
        If a file is damaged, or the model is of a kind that is not read.
    """
    path = folder / MODEL
    settings = _object(folder / "tokenizer_config.json")
    try:
        model = SentencePieceModel.parse(read_bytes(path))
        tokenizer = sentencepiece_tokenizer(model, _prefix(settings))
        _add(tokenizer, _added(folder, settings))
        if settings.get("add_bos_token") is True:
            put_in_front(tokenizer, _begin(model))
        return tokenizer.to_str().encode()
    except TercelError as error:
        raise TercelError(f"{path}: {error}; give a tokenizer.json with --tokenizer") from None
    except Exception as error:  # the library raises nothing narrower
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise TercelError(
            f"{path}: it is damaged ({reason}); give a tokenizer.json with --tokenizer"
        ) from None


def _object(path: Path) -> dict[str, Any]:
    return read_object(path) if path.exists() else {}


def _prefix(settings: dict[str, Any]) -> Prefix:
    """The chunks of a text that get a space, which depends on the class in ``transformers``."""
    if settings.get("tokenizer_class") not in LLAMA:
        return Prefix.EVERY
    return Prefix.UNLESS_SPACE if settings.get("legacy") is True else Prefix.FIRST


def _added(folder: Path, settings: dict[str, Any]) -> dict[int, AddedToken]:
    """Tokens by id that the folder adds to the model's or changes."""
    added: dict[int, AddedToken] = {}
    for text, index in _object(folder / "added_tokens.json").items():
        added[TOKEN.check(f"added_tokens.json: {describe(text)}", index)] = AddedToken(
            text, normalized=False
        )
    decoder = settings.get("added_tokens_decoder") or {}
    if not isinstance(decoder, dict):
        raise TercelError(f"added_tokens_decoder must be an object, not {describe(decoder)}")
    for index, token in decoder.items():
        name = f"added_tokens_decoder.{describe(index)[1:-1]}"
        if not index.isdecimal() or not isinstance(token, dict):
            raise TercelError(f"{name} must be the description of a token with its id")
        text = Text().check(f"{name}.content", token.get("content"))
        options = {key: token.get(key) is True for key in ("special", "lstrip", "rstrip")}
        single = token.get("single_word") is True
        added[TOKEN.check(name, int(index))] = AddedToken(
            text, single_word=single, normalized=False, **options
        )
    return added


def _add(tokenizer: Tokenizer, added: dict[int, AddedToken]) -> None:
    """Add tokens; the ids of new ones must follow those of the model."""
    tokenizer.add_tokens([added[index] for index in sorted(added)])
    for index, token in added.items():
        if (found := tokenizer.token_to_id(token.content)) != index:
            raise TercelError(
                f"the added token {describe(token.content)} must have the id {found}, which "
                f"follows those before it, not {index}"
            )


def _begin(model: SentencePieceModel) -> str:
    """The text of the begin token."""
    if not 0 <= model.begin < len(model.pieces):
        raise TercelError("add_bos_token is set, but the model has no begin token")
    return model.pieces[model.begin].text
