"""A conversation with a model: messages, and the cache of the prompt that they make."""

import json
import os
from collections.abc import Generator as Pieces
from contextlib import suppress
from typing import BinaryIO

from tercel.device import SavedSequence
from tercel.errors import TercelError
from tercel.image import Image
from tercel.runtime.chat_template import ChatTemplate
from tercel.runtime.generator import GenerationConfig, Generator, Piece
from tercel.runtime.tokenizer import TextTokenizer

__all__ = ["Conversation", "Message"]

Message = dict[str, str]
"""``role`` (``system``, ``user``, ``assistant``) and ``content``."""

MESSAGES = "messages"
"""Note of a saved sequence that has them."""


class Conversation:
    """Asks a model and remembers what was said.

    The template makes a prompt of all messages for every question; the cache keeps what this has in
    common with the sequence so far, so a turn costs its own tokens.

    Parameters
    ----------
    generator
        Reserved for this conversation.
    tokenizer
        The model's tokenizer.
    template
    system
        Instructions that stand before every conversation.
    """

    def __init__(
        self,
        generator: Generator,
        tokenizer: TextTokenizer,
        template: ChatTemplate,
        *,
        system: str | None = None,
    ):
        self._generator = generator
        self._tokenizer = tokenizer
        self._template = template
        self._first: list[Message] = []
        if system is not None:
            self._first = [{"role": "system", "content": system}]
        self._messages = [*self._first]
        self._prompt = ""

    @property
    def messages(self) -> list[Message]:
        """A copy of all messages so far, the answer that still runs included."""
        return [dict(message) for message in self._messages]

    @property
    def prompt(self) -> str:
        """The text that the template made for the last question."""
        return self._prompt

    def ask(self, question: str, config: GenerationConfig) -> Pieces[Piece, None, None]:
        """Add a question and stream its answer, which is kept as far as it came.

        After an error the conversation is unchanged.

        Raises
        ------
        PromptError
            If the conversation exceeds the context.
        TercelError
            If the template refuses the conversation or fails.
        """
        messages = [*self._messages, {"role": "user", "content": question}]
        prompt = self._template.render(messages)
        # The template writes the first tokens of a text itself.
        tokens = self._tokenizer.encode(prompt, first=False)
        pieces = self._generator.respond(tokens, config)
        answer = {"role": "assistant", "content": ""}
        self._messages, self._prompt = [*messages, answer], prompt
        return self._answer(pieces, answer)

    @staticmethod
    def _answer(pieces: Pieces[Piece, None, None], answer: Message) -> Pieces[Piece, None, None]:
        for piece in pieces:
            answer["content"] += piece.text
            yield piece

    def reset(self) -> None:
        """Forget all messages but the system's."""
        self._generator.reset()
        self._messages, self._prompt = [*self._first], ""

    def save(self, output: str | os.PathLike[str] | BinaryIO, image: Image) -> None:
        """Write messages and cache, as :meth:`tercel.device.SavedSequence.write` does.

        Raises
        ------
        TercelError
            If nothing was said yet, or the file cannot be written.
        """
        cache = self._generator.save()
        if not cache.shape[2]:
            raise TercelError("nothing was said yet, so there is nothing to save")
        notes = {MESSAGES: json.dumps(self._messages)}
        SavedSequence(cache=cache, tokens=self._generator.tokens, notes=notes).write(output, image)

    def load(self, path: str | os.PathLike[str], image: Image) -> None:
        """Take up the conversation of a file; after an error this one is unchanged.

        Raises
        ------
        TercelError
            If the file cannot be read, is of another model, or exceeds the context.
        """
        saved = SavedSequence.read(path, image)
        messages = _messages(path, saved.notes.get(MESSAGES, ""))
        self._generator.restore(saved.cache, saved.tokens)
        self._messages, self._prompt = messages, ""


def _messages(path: str | os.PathLike[str], text: str) -> list[Message]:
    """The messages of a file."""
    with suppress(ValueError, RecursionError):
        found = json.loads(text)
        if isinstance(found, list) and all(map(_is_message, found)):
            return found
    raise TercelError(f"{path} has no messages, so no conversation can go on from it")


def _is_message(value: object) -> bool:
    return (
        isinstance(value, dict)
        and set(value) == {"role", "content"}
        and all(isinstance(text, str) for text in value.values())
    )
