"""Accelerators by name and from files of parameters."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from tercel.errors import TercelError
from tercel_hw.tlmm.config import TlmmConfig
from tercel_hw.top.config import ACCELERATORS, AcceleratorConfig

__all__ = ["parse_configuration", "preset", "read_configuration"]


def preset(name: str) -> AcceleratorConfig:
    """The accelerator of a name.

    Raises
    ------
    TercelError
        If there is none.
    """
    if name not in ACCELERATORS:
        raise TercelError(f"preset must be one of {', '.join(ACCELERATORS)}, not {name!r}")
    return ACCELERATORS[name]


def read_configuration(path: Path) -> AcceleratorConfig:
    """The accelerator that a JSON file describes: parameters, or the sidecar of an accelerator.

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
        values = json.loads(text)
    except ValueError as error:
        raise TercelError(f"the configuration {path} is not valid JSON: {error}") from None
    if isinstance(values, dict) and "parameters" in values:
        values = values["parameters"]
    try:
        return parse_configuration(values)
    except TercelError as error:
        raise TercelError(f"the configuration {path}: {error}") from None


def parse_configuration(values: Any) -> AcceleratorConfig:
    """Inverse of :meth:`AcceleratorConfig.parameters`; what is missing is the default.

    Raises
    ------
    TercelError
        If a field is unknown, not of its type or breaks its rule.
    """
    values = _fields("parameters", values, AcceleratorConfig)
    tlmm = values.pop("tlmm", None)
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int):
            raise TercelError(f"{name} must be an integer, not {value!r}")
    try:
        if tlmm is not None:
            standard = AcceleratorConfig().tlmm
            values["tlmm"] = dataclasses.replace(standard, **_fields("tlmm", tlmm, TlmmConfig))
        return AcceleratorConfig(**values)
    except (TypeError, ValueError) as error:
        raise TercelError(str(error)) from None


def _fields(what: str, values: Any, record: type) -> dict[str, Any]:
    """A copy of an object that has no fields but the record's."""
    if not isinstance(values, dict):
        raise TercelError(f"{what} must be a JSON object, not {values!r}")
    known = [field.name for field in dataclasses.fields(record)]
    if unknown := sorted(set(values) - set(known)):
        raise TercelError(
            f"{what} has unknown fields: {', '.join(unknown)}; known are {', '.join(known)}"
        )
    return dict(values)
