"""Options of devices and of rules: dataclasses that can be parsed from text."""

import dataclasses
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from tercel.errors import TercelError

__all__ = ["DeviceOptions", "describe_options", "option", "parse_options"]

Options = TypeVar("Options")


def option(default: Any, description: str) -> Any:
    """A field of options.

    Parameters
    ----------
    default
        Default value; ``None`` leaves the choice to the device.
    description
        One line for the user.
    """
    return dataclasses.field(default=default, metadata={"description": description})


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeviceOptions:
    """Options of every device; a device with further options declares a subclass.

    Fields are of type ``int``, ``float``, ``str``, ``bool`` or ``Path``, optionally or ``None``,
    and defined by :func:`option`.
    """

    context: int | None = option(None, "positions of the KV cache; by default as many as fit")
    nodes: int | None = option(None, "most token nodes of a pass, K; by default the device's own")


def parse_options(
    kind: type[Options],
    settings: Mapping[str, str],
    owner: str = "the device",
    remedy: str = "see `tercel devices`",
    **others: Any,
) -> Options:
    """Parse options from the text of a command line.

    Parameters
    ----------
    kind
        The dataclass of options, its fields as those of :class:`DeviceOptions`.
    settings
        Option name to value as text.
    owner
        Name, in messages, of what has the options.
    remedy
        End of the message about an option that is unknown.
    others
        Values that need no parsing; ``None`` leaves the default.

    Raises
    ------
    TercelError
        If an option is unknown, is given twice, or its text is not of its type.
    """
    known = {field.name for field in dataclasses.fields(kind)}  # pyright: ignore[reportArgumentType]
    if unknown := sorted(set(settings) - known):
        raise TercelError(
            f"{owner} has no option {unknown[0]!r}, only {', '.join(sorted(known)) or 'none'}; "
            f"{remedy}"
        )
    given = {name: value for name, value in others.items() if value is not None}
    if twice := sorted(set(settings) & set(given)):
        raise TercelError(f"the option {twice[0]} is given twice; leave one of them out")
    hints = typing.get_type_hints(kind)
    values = {name: _parse(name, text, _type_of(hints[name])) for name, text in settings.items()}
    return kind(**values, **given)


def describe_options(kind: type[DeviceOptions]) -> list[tuple[str, str, str]]:
    """Name, default as text (empty for ``None``) and description of every option."""
    rows = []
    for field in dataclasses.fields(kind):
        default = "" if field.default is None else str(field.default)
        rows.append((field.name, default, field.metadata["description"]))
    return rows


def _type_of(hint: Any) -> type:
    """The type of an option, without its ``None``."""
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return next(part for part in typing.get_args(hint) if part is not type(None))
    return hint


def _parse(name: str, text: str, kind: type) -> Any:
    words = {bool: "true or false", int: "an integer", float: "a number"}
    try:
        if kind is bool:
            return {"true": True, "false": False}[text.lower()]
        return Path(text) if kind is Path else kind(text)
    except (KeyError, ValueError):
        raise TercelError(f"the option {name} must be {words[kind]}, not {text!r}") from None
