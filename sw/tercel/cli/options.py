"""Options shared by several commands."""

from typing import Annotated

import typer

from tercel.runtime import device_names

__all__ = ["ContextOption", "DeviceOption", "ModelArgument", "NodesOption"]

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
NodesOption = Annotated[int, typer.Option(help="Most tokens of one pass.", metavar="K")]
