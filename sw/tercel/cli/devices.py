"""``tercel devices``: the installed devices and their options."""

import json
from typing import Annotated

import typer

from tercel.device.options import describe_options
from tercel.errors import TercelError
from tercel.runtime import device_class, device_names

__all__ = ["devices"]


def devices(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """List the installed devices and the options that --set gives them."""
    found = {name: _describe(name) for name in device_names()}
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    for name, description in found.items():
        typer.echo(f"{name}: {description['summary']}")
        for option in description["options"]:
            default = f" [{option['default']}]" if option["default"] else ""
            typer.echo(f"  {option['name']}{default}: {option['description']}")


def _describe(name: str) -> dict:
    try:
        kind = device_class(name)
    except TercelError as error:
        return {"summary": f"not available: {error}", "options": []}
    rows = describe_options(kind.OPTIONS)
    names = ("name", "default", "description")
    return {
        "summary": (kind.__doc__ or "").strip().splitlines()[0],
        "options": [dict(zip(names, row, strict=True)) for row in rows],
    }
