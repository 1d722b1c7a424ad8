"""Frozen dataclasses as JSON objects."""

import dataclasses
import json
from typing import Any, ClassVar, TypeVar

from tercel.errors import TercelError

__all__ = ["JsonDataclass"]

R = TypeVar("R", bound="JsonDataclass")


class JsonDataclass:
    """Base of frozen dataclasses that are stored as JSON."""

    WHAT: ClassVar[str]
    """Name of the dataclass in error messages."""

    def to_fields(self) -> dict[str, Any]:
        """The fields of the JSON object."""
        return dataclasses.asdict(self)  # pyright: ignore

    def to_json(self) -> str:
        """The JSON text on one line, with sorted keys: equal objects give equal text."""
        return json.dumps(self.to_fields(), sort_keys=True)

    @classmethod
    def from_json(cls: type[R], text: str) -> R:
        """Inverse of :meth:`to_json`.

        Raises
        ------
        TercelError
            If the text is no JSON object, has a missing or unknown field, or a field breaks its
            rule.
        """
        try:
            found: Any = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise TercelError(f"the {cls.WHAT} is not valid JSON: {error}") from None
        if not isinstance(found, dict):
            raise TercelError(f"the {cls.WHAT} must be a JSON object, not {type(found).__name__}")
        return cls.from_fields(found)

    @classmethod
    def from_fields(cls: type[R], found: dict[str, Any]) -> R:
        """Inverse of :meth:`to_fields`.

        Raises
        ------
        TercelError
            If a field is missing, unknown or breaks its rule.
        """
        fields = dataclasses.fields(cls)  # pyright: ignore
        if unknown := sorted(set(found) - {field.name for field in fields}):
            raise TercelError(
                f"the {cls.WHAT} has unknown fields: {', '.join(unknown)}; "
                "a newer tercel may know them"
            )
        required = {
            field.name
            for field in fields
            if field.default is field.default_factory is dataclasses.MISSING
        }
        if missing := sorted(required - set(found)):
            raise TercelError(f"the {cls.WHAT} lacks the fields: {', '.join(missing)}")
        return cls(**found)
