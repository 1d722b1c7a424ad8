"""Validation of foreign metadata against a table of known fields."""

import abc
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tercel.errors import TercelError
from tercel_quant.importers.unsupported import part_of_field

__all__ = [
    "Choice",
    "Field",
    "FieldTable",
    "Fixed",
    "Flag",
    "Integer",
    "Listed",
    "Nested",
    "Number",
    "OneOrMore",
    "Text",
    "describe",
]

SHOWN = 60
"""Most characters of a refused value in a message."""
SHOWN_REFUSALS = 8
"""Most refused fields in a message."""


class Rule(abc.ABC):
    """A rule for the values of a field."""

    @abc.abstractmethod
    def check(self, name: str, value: Any) -> Any:
        """Check a value and return it in the form that tercel uses.

        Raises
        ------
        TercelError
            If the value breaks the rule; the message quotes the field's name, the rule and the
            value.
        """


def describe(value: Any) -> str:
    """The text of a value for a message, shortened."""
    if isinstance(value, (list, tuple, dict)):
        # repr of a huge or deeply nested value may fail.
        return f"a {type(value).__name__} of {len(value)}"
    text = repr(value[: 2 * SHOWN] if isinstance(value, (str, bytes)) else value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def _refuse(name: str, expected: str, value: Any) -> TercelError:
    return TercelError(f"{name} must be {expected}, not {describe(value)}")


@dataclass(frozen=True)
class Integer(Rule):
    """A whole number in ``low..high``."""

    low: int
    high: int

    def check(self, name: str, value: Any) -> int:
        if (
            isinstance(value, bool)
            or not isinstance(value, int)
            or not self.low <= value <= self.high
        ):
            raise _refuse(name, f"an integer in {self.low}..{self.high}", value)
        return value


@dataclass(frozen=True)
class Number(Rule):
    """A number above ``low``, at most ``high``."""

    low: float
    high: float

    def check(self, name: str, value: Any) -> float:
        if (
            isinstance(value, bool)
            or not isinstance(value, (int, float))
            or not self.low < value <= self.high
        ):
            raise _refuse(name, f"a number above {self.low:g} and at most {self.high:g}", value)
        return float(value)


class Flag(Rule):
    """``true`` or ``false``."""

    def check(self, name: str, value: Any) -> bool:
        if not isinstance(value, bool):
            raise _refuse(name, "true or false", value)
        return value


class Text(Rule):
    """A string of at most 4096 characters."""

    MOST = 4096

    def check(self, name: str, value: Any) -> str:
        if not isinstance(value, str) or len(value) > self.MOST:
            raise _refuse(name, f"a string of at most {self.MOST} characters", value)
        return value


@dataclass(frozen=True)
class Choice(Rule):
    """One of several strings; each is mapped to tercel's term."""

    meanings: Mapping[str, str]

    def check(self, name: str, value: Any) -> str:
        if not isinstance(value, str) or value not in self.meanings:
            if part := part_of_field(name, value):
                raise TercelError(f"{name} is {describe(value)}, but {part} are not supported")
            raise _refuse(name, f"one of {', '.join(self.meanings)}", value)
        return self.meanings[value]


@dataclass(frozen=True)
class Fixed(Rule):
    """A switch of a feature that tercel lacks; only its values for "off" are accepted."""

    off: tuple[Any, ...]
    part: str
    """The feature with its verb, for the message: ``biases are`` not supported."""

    def check(self, name: str, value: Any) -> Any:
        if not any(value == off for off in self.off):
            raise TercelError(f"{name} is {describe(value)}, but {self.part} not supported")
        return value


@dataclass(frozen=True)
class Listed(Rule):
    """A list whose items all follow one rule."""

    item: Rule

    def check(self, name: str, value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise _refuse(name, "a list", value)
        return [self.item.check(f"{name}[{index}]", one) for index, one in enumerate(value)]


@dataclass(frozen=True)
class OneOrMore(Rule):
    """One value or a list of such values; returned as a list."""

    item: Rule

    def check(self, name: str, value: Any) -> list[Any]:
        if isinstance(value, list):
            return Listed(self.item).check(name, value)
        return [self.item.check(name, value)]


@dataclass(frozen=True)
class Field:
    """A known field: its rule, and its default if absent or null."""

    rule: Rule
    default: Any = None
    required: bool = False


@dataclass(frozen=True, kw_only=True)
class FieldTable:
    """All fields of one kind of metadata.

    Any other field may change what the model computes, so it is refused by name unless it is listed
    as harmless.
    """

    fields: Mapping[str, Field]
    remedy: str
    """Remedy for an unknown field, for the message; ``{name}`` stands for the field."""
    harmless: frozenset[str] = frozenset()
    harmless_prefixes: tuple[str, ...] = ()

    def read(self, found: Mapping[str, Any], *, prefix: str = "") -> dict[str, Any]:
        """Check metadata and return the value of every field of the table.

        Parameters
        ----------
        found
            Name to value; ``None`` counts as absent.
        prefix
            Prefix of the names in messages.

        Raises
        ------
        TercelError
            If fields are missing, break their rules or are unknown; the message names them all, up
            to :data:`SHOWN_REFUSALS`.
        """
        values, refusals = {}, []
        for name, entry in self.fields.items():
            values[name] = entry.default
            if (value := found.get(name)) is not None:
                try:
                    values[name] = entry.rule.check(f"{prefix}{name}", value)
                except TercelError as error:
                    refusals.append(str(error))
            elif entry.required:
                refusals.append(f"the field {prefix}{name} is missing")
        refusals += [
            self._unknown(f"{prefix}{describe(name)[1:-1]}", value)
            for name, value in found.items()
            if value is not None
            and name not in self.fields
            and name not in self.harmless
            and not name.startswith(self.harmless_prefixes)
        ]
        if refusals:
            more = len(refusals) - SHOWN_REFUSALS
            end = f"; and {more} more" if more > 0 else ""
            raise TercelError("; ".join(refusals[:SHOWN_REFUSALS]) + end)
        return values

    def _unknown(self, name: str, value: Any) -> str:
        if part := part_of_field(name, value):
            return f"{name} is {describe(value)}, but {part} are not supported"
        return (
            f"{name} ({describe(value)}) is not known, and may change what the model computes; "
            f"{self.remedy.format(name=name)}"
        )


@dataclass(frozen=True)
class Nested(Rule):
    """An object with fields of its own."""

    table: FieldTable

    def check(self, name: str, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _refuse(name, "an object", value)
        return self.table.read(value, prefix=f"{name}.")
