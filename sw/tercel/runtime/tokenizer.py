"""The model's own tokenizer: text to ids, and ids to the bytes of the text."""

import json
from collections.abc import Callable, Collection, Sequence

from tokenizers import Tokenizer, models

from tercel.errors import TercelError
from tercel.image import Image

__all__ = ["TextTokenizer"]

SPACE_MARK = "\N{LOWER ONE EIGHTH BLOCK}"
"""The character for a space in SentencePiece vocabularies."""


class TextTokenizer:
    """A ``tokenizer.json`` of one of the two common kinds.

    Byte-level vocabularies (GPT-2, Llama 3) write every byte as one printable character.
    SentencePiece vocabularies (Llama, Llama 2) write a space as U+2581 and other bytes as
    ``<0x0A>``. Truncation and padding settings of the file are ignored.

    Parameters
    ----------
    data
        The bytes of ``tokenizer.json``.

    Raises
    ------
    TercelError
        If the tokenizer is malformed or of another kind.
    """

    def __init__(self, data: bytes):
        try:
            self._tokenizer = Tokenizer.from_str(data.decode())
        except Exception as error:  # the library raises nothing narrower
            raise TercelError(f"the tokenizer is not a valid tokenizer.json: {error}") from None
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._first = _first_tokens(self._tokenizer)
        self._to_bytes = _byte_rule(data)
        self._added = self._tokenizer.get_added_tokens_decoder()

    @classmethod
    def of_image(cls, image: Image) -> "TextTokenizer":
        """The tokenizer of an image.

        Raises
        ------
        TercelError
            If the image has none, or it is malformed.
        """
        if image.tokenizer is None:
            raise TercelError(
                f"{image.path} has no tokenizer, so it cannot read or write text; "
                "build it again with the model's tokenizer.json"
            )
        return cls(image.tokenizer)

    def encode(self, text: str, *, first: bool = True) -> list[int]:
        """Token ids of a text; the written form of a special token becomes that token.

        Parameters
        ----------
        text
        first
            True at the start of a sequence: put :attr:`first_tokens` in front.

        Raises
        ------
        TercelError
            If the text has a lone surrogate, which UTF-8 cannot encode.
        """
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise TercelError(f"the text must be valid UTF-8: {error}") from None
        ids = self._tokenizer.encode(text, add_special_tokens=False).ids
        return self.start(ids) if first else ids

    @property
    def first_tokens(self) -> tuple[int, ...]:
        """Tokens that the tokenizer's post-processor puts in front of every text."""
        return self._first

    def start(self, tokens: Sequence[int]) -> list[int]:
        """The tokens with :attr:`first_tokens` in front, unless they already start with them."""
        there = tuple(tokens[: len(self._first)]) == self._first
        return [*tokens] if there else [*self._first, *tokens]

    def special_tokens(self, texts: Collection[str]) -> frozenset[int]:
        """Ids of the special tokens among the texts.

        Raises
        ------
        TercelError
            If a text contains a special token and more: special tokens add nothing to generated
            text, so such a text could never match.
        """
        special = {id_: token.content for id_, token in self._added.items() if token.special}
        known = set(special.values())
        for text in texts:
            inside = [content for content in known if content in text]
            if inside and text not in known:
                raise TercelError(
                    f"a special token must stand alone, but {min(inside)!r} is a part of {text!r}"
                )
        return frozenset(id_ for id_, content in special.items() if content in texts)

    def written(self, token: int) -> str | None:
        """The form in which a special token is written in a text; ``None`` for any other."""
        added = self._added.get(token)
        return added.content if added is not None and added.special else None

    def token_bytes(self, token: int) -> bytes:
        """UTF-8 bytes of a token; empty for a special or an unknown token."""
        if (added := self._added.get(token)) is not None:
            return b"" if added.special else added.content.encode()
        text = self._tokenizer.id_to_token(token)
        return b"" if text is None else self._to_bytes(text)

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of tokens; invalid UTF-8 becomes U+FFFD."""
        return b"".join(map(self.token_bytes, tokens)).decode(errors="replace")


def _first_tokens(tokenizer: Tokenizer) -> tuple[int, ...]:
    """Tokens that a tokenizer's post-processor puts in front, found with a text of one token.

    Tokens that it appends (an end token) are ignored, because the text is to be continued.
    """
    if tokenizer.post_processor is None:
        return ()
    probe = Tokenizer(models.WordLevel({"x": 0}, unk_token="x"))
    probe.post_processor = tokenizer.post_processor
    encoding = probe.encode("x")
    return tuple(encoding.ids[: encoding.special_tokens_mask.index(0)])


def _byte_rule(data: bytes) -> Callable[[str], bytes]:
    """The function from a token to its bytes, by the kind of the tokenizer's decoder."""
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
    """GPT-2's character for each byte: printable bytes as themselves, others from U+0100 on."""
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
