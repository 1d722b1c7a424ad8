"""The model's own tokenizer: text to ids, and ids to the bytes of the text."""

import json
from collections.abc import Callable, Sequence

from tokenizers import Tokenizer

from tercel.config import ModelConfig
from tercel.errors import TercelError
from tercel.image import Image

__all__ = ["TextTokenizer"]

SPACE_MARK = "\N{LOWER ONE EIGHTH BLOCK}"
"""What SentencePiece vocabularies write for a space."""


class TextTokenizer:
    """A ``tokenizer.json`` in the two forms that language models use.

    Byte-level vocabularies (GPT-2, Llama 3) write every byte as one printable character.
    SentencePiece vocabularies (Llama, Llama 2) write a space as a block, odd bytes as ``<0x0A>``.

    Parameters
    ----------
    data
        The bytes of ``tokenizer.json``.
    config
        The model's, for its first token.

    Raises
    ------
    TercelError
        If the tokenizer is malformed or of another form.
    """

    def __init__(self, data: bytes, *, config: ModelConfig):
        try:
            self._tokenizer = Tokenizer.from_str(data.decode())
        except Exception as error:  # the library raises nothing narrower
            raise TercelError(f"the tokenizer is not a valid tokenizer.json: {error}") from None
        self._bos = config.bos_token
        self._to_bytes = _byte_rule(data)
        self._added = self._tokenizer.get_added_tokens_decoder()

    @classmethod
    def of_image(cls, image: Image) -> "TextTokenizer":
        """The tokenizer in an image.

        Raises
        ------
        TercelError
            If there is none, or it is malformed.
        """
        if image.tokenizer is None:
            raise TercelError(
                f"{image.path} has no tokenizer, so it cannot read or write text; "
                "build it again with the model's tokenizer.json"
            )
        return cls(image.tokenizer, config=image.config)

    def encode(self, text: str, *, first: bool = True) -> list[int]:
        """Token ids of a text; special tokens written out in it count as such.

        Parameters
        ----------
        text
        first
            Whether a sequence starts here: then the model's first token, if it has one, comes
            first.

        Raises
        ------
        TercelError
            If the text is not Unicode (a lone surrogate).
        """
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise TercelError(f"the text must be valid UTF-8: {error}") from None
        ids = self._tokenizer.encode(text, add_special_tokens=False).ids
        return [self._bos, *ids] if first and self._bos is not None else ids

    def token_bytes(self, token: int) -> bytes:
        """The token's part of the text; nothing for a special or an unknown token."""
        if (added := self._added.get(token)) is not None:
            return b"" if added.special else added.content.encode()
        text = self._tokenizer.id_to_token(token)
        return b"" if text is None else self._to_bytes(text)

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of tokens; bytes that are no UTF-8 become U+FFFD."""
        return b"".join(map(self.token_bytes, tokens)).decode(errors="replace")


def _byte_rule(data: bytes) -> Callable[[str], bytes]:
    """How the decoder of a tokenizer writes a token's bytes."""
    decoder = json.loads(data).get("decoder") or {}
    kinds = {part.get("type") for part in decoder.get("decoders", [decoder])}
    if "ByteLevel" in kinds:
        return _byte_level(_byte_alphabet())
    if kinds & {"ByteFallback", "Metaspace"}:
        return _sentencepiece
    names = ", ".join(sorted(map(str, kinds)))
    raise TercelError(
        f"the tokenizer's decoder must be ByteLevel, ByteFallback or Metaspace, not {names}"
    )


def _byte_alphabet() -> dict[str, int]:
    """GPT-2's characters for bytes: printable ones stand for themselves, others from U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    alphabet = {chr(byte): byte for byte in printable}
    others = (byte for byte in range(256) if byte not in alphabet.values())
    return alphabet | {chr(0x100 + i): byte for i, byte in enumerate(others)}


def _byte_level(alphabet: dict[str, int]) -> Callable[[str], bytes]:
    def to_bytes(token: str) -> bytes:
        if all(character in alphabet for character in token):
            return bytes(alphabet[character] for character in token)
        return token.encode()

    return to_bytes


def _sentencepiece(token: str) -> bytes:
    if len(token) == 6 and token.startswith("<0x") and token.endswith(">"):
        return bytes.fromhex(token[3:5])
    return token.replace(SPACE_MARK, " ").encode()
