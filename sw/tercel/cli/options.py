"""Options shared by several commands."""

from typing import Annotated

import typer

from tercel.device import Device
from tercel.device.options import parse_options
from tercel.errors import TercelError
from tercel.image import Image
from tercel.runtime import device_class, device_names, open_device

__all__ = [
    "ContextOption",
    "DeviceOption",
    "ModelArgument",
    "NodesOption",
    "SettingsOption",
    "open_with_settings",
    "parse_settings",
]

ModelArgument = Annotated[
    str, typer.Argument(help="An image file, or the name of a shipped model.", show_default=True)
]
DeviceOption = Annotated[
    str,
    typer.Option(
        help="Where the model runs.", autocompletion=lambda: list(device_names()), metavar="NAME"
    ),
]
ContextOption = Annotated[
    int | None,
    typer.Option(help="Positions of the KV cache; by default the model's own.", metavar="N"),
]
NodesOption = Annotated[
    int | None,
    typer.Option(help="Most tokens of one pass; by default the device's own.", metavar="K"),
]
SettingsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="An option of the device, see `tercel devices`; may be given several times.",
        metavar="NAME=VALUE",
    ),
]


def open_with_settings(
    device: str,
    image: Image,
    *,
    nodes: int | None,
    context: int | None,
    settings: list[str] | None,
) -> Device:
    """Open a device with the options of the command line.

    Raises
    ------
    TercelError
        If a setting is no ``NAME=VALUE`` or is given twice, the device has no such option, or it
        refuses.
    """
    kind = device_class(device).OPTIONS
    options = parse_options(kind, parse_settings(settings), nodes=nodes, context=context)
    return open_device(device, image, options)


def parse_settings(settings: list[str] | None) -> dict[str, str]:
    """Names and values of the options ``--set NAME=VALUE``.

    Raises
    ------
    TercelError
        If one has another form or is given twice.
    """
    parsed: dict[str, str] = {}
    for setting in settings or ():
        name, equals, value = setting.partition("=")
        if not equals:
            raise TercelError(f"--set takes NAME=VALUE, not {setting!r}; see `tercel devices`")
        if name in parsed:
            raise TercelError(f"--set {name} is given twice; leave one of them out")
        parsed[name] = value
    return parsed
