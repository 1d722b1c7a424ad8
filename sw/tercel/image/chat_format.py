"""The chat template of a model and the texts of the special tokens that it writes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from tercel.errors import TercelError
from tercel.json_dataclass import JsonDataclass

__all__ = ["ChatFormat"]

MOST_CHARACTERS = 1 << 20
"""Longest template; published ones have a few thousand characters."""


@dataclass(frozen=True, kw_only=True)
class ChatFormat(JsonDataclass):
    """A Jinja template that makes a prompt of the messages of a conversation.

    Raises
    ------
    TercelError
        If a field breaks its rule.
    """

    WHAT: ClassVar[str] = "chat format"

    template: str
    special_tokens: Mapping[str, str] = field(default_factory=dict)
    """Name of a variable such as ``bos_token`` to the token's text."""

    def __post_init__(self):
        if not isinstance(self.template, str) or not self.template.strip():
            raise TercelError("a chat template must be a text, not an empty one")
        if len(self.template) > MOST_CHARACTERS:
            raise TercelError(
                f"a chat template has at most {MOST_CHARACTERS} characters, not "
                f"{len(self.template)}"
            )
        tokens = self.special_tokens
        if not isinstance(tokens, Mapping) or not all(
            isinstance(text, str) for pair in tokens.items() for text in pair
        ):
            raise TercelError("special_tokens must be an object of texts by name")
