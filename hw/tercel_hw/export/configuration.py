"""Configurations of accelerators, by name or from files of parameters."""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

from tercel.errors import TercelError
from tercel_hw.tlmm.config import TlmmConfig
from tercel_hw.top.config import ACCELERATORS, AcceleratorConfig

__all__ = ["parse_configuration", "preset", "read_configuration"]

OTHER_TYPES = ("tlmm", "ultra_ram", "qk_norm")
"""Fields that are no integers; the accelerator checks them."""


def preset(name: str) -> AcceleratorConfig:
    """Return the preset of a name.

    Raises
    ------
    TercelError
        If there is no such preset.
    """
    if name not in ACCELERATORS:
        raise TercelError(f"preset must be one of {', '.join(ACCELERATORS)}, not {name!r}")
    return ACCELERATORS[name]


def read_configuration(path: Path) -> AcceleratorConfig:
    """Read an accelerator from a JSON file: parameters, or the sidecar of an accelerator.

    Raises
    ------
    TercelError
        If the file cannot be read or breaks a rule.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TercelError(f"the configuration {path} cannot be read: {error}") from None
    try:
        values = json.loads(text, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise TercelError(f"the configuration {path} is not valid JSON: {error}") from None
    except TercelError as error:
        raise TercelError(f"the configuration {path}: {error}") from None
    if isinstance(values, dict) and "parameters" in values:
        values = values["parameters"]
    try:
        return parse_configuration(values)
    except TercelError as error:
        raise TercelError(f"the configuration {path}: {error}") from None


def parse_configuration(values: Any) -> AcceleratorConfig:
    """Inverse of :meth:`AcceleratorConfig.parameters`; missing fields have their defaults.

    Raises
    ------
    TercelError
        If a field is unknown, not of its type or breaks its rule; the message names it.
    """
    values = _fields("parameters", values, AcceleratorConfig)
    if "tlmm" in values:
        values["tlmm"] = _fields("tlmm", values["tlmm"], TlmmConfig)
    for name, value in values.items():
        if name not in OTHER_TYPES and (isinstance(value, bool) or not isinstance(value, int)):
            raise TercelError(f"{name} must be an integer, not {value!r}")
    try:
        return _built(values)
    except (TypeError, ValueError, TercelError) as error:
        raise TercelError(_naming_fields(str(error), values)) from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build a JSON object; refuse a repeated name."""
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name in values:
            raise TercelError(f"{name} is given twice; a field may be given once")
        values[name] = value
    return values


def _fields(what: str, values: Any, record: type) -> dict[str, Any]:
    """Return a copy of an object; refuse a field that ``record`` does not have."""
    if not isinstance(values, dict):
        raise TercelError(f"{what} must be a JSON object, not {values!r}")
    known = [field.name for field in dataclasses.fields(record)]
    if unknown := sorted(set(values) - set(known)):
        raise TercelError(
            f"{what} has unknown fields: {', '.join(unknown)}; known are {', '.join(known)}"
        )
    return dict(values)


def _built(values: dict[str, Any]) -> AcceleratorConfig:
    """Build the accelerator of fields; those of the ternary engine replace its defaults.

    Raises
    ------
    TypeError, ValueError, TercelError
        If a field breaks a rule of the accelerator or of one of its blocks.
    """
    tlmm = dataclasses.replace(AcceleratorConfig().tlmm, **values.get("tlmm", {}))
    return AcceleratorConfig(**{**values, "tlmm": tlmm})


def _naming_fields(message: str, values: dict[str, Any]) -> str:
    """Return a message with the names of the fields that break a rule, which may be a block's.

    Such a field is one for which the value of a preset makes a valid accelerator; without one, all
    given fields are named.
    """
    given = {name: value for name, value in values.items() if name != "tlmm"}
    given |= values.get("tlmm", {})
    culprits = [name for name in given if _makes_sense_without(name, values)] or list(given)
    hidden = [name for name in culprits if not re.search(rf"\b{name}\b", message)]
    if not hidden:
        return message
    return f"{', '.join(f'{name} {given[name]!r}' for name in hidden)}: {message}"


def _makes_sense_without(name: str, values: dict[str, Any]) -> bool:
    """Return True if a preset's value in place of a field's own makes a valid accelerator."""
    for preset in ACCELERATORS.values():
        for where, standard in ((values, preset), (values.get("tlmm", {}), preset.tlmm)):
            if name not in where:
                continue
            changed = {**where, name: getattr(standard, name)}
            try:
                _built(changed if where is values else {**values, "tlmm": changed})
            except (TypeError, ValueError, TercelError):
                continue
            return True
    return False
