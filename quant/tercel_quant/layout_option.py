"""The option for the layout of an image's tape."""

from pathlib import Path
from typing import Annotated

import typer

from tercel.errors import TercelError
from tercel.image import LAYOUTS, TapeLayout
from tercel.program import AcceleratorSpec

__all__ = ["LayoutOption", "named_layout"]

LayoutOption = Annotated[
    str | None,
    typer.Option(
        help=f"Layout of the tape: {', '.join(LAYOUTS)}, or that of an accelerator's sidecar; "
        "by default one for the model on a kv260.",
        metavar="NAME|FILE",
    ),
]


def named_layout(name: str | None) -> tuple[TapeLayout | None, Path | None]:
    """The layout of a name, or of the sidecar of an accelerator with the sidecar's path.

    Raises
    ------
    TercelError
        If there is no such layout and no such sidecar.
    """
    if name is None:
        return None, None
    if name in LAYOUTS:
        return LAYOUTS[name], None
    if (path := Path(name)).is_file():
        return AcceleratorSpec.load(path).layout, path
    raise TercelError(
        f"layout must be one of {', '.join(LAYOUTS)}, or a sidecar that `tercel hdl` wrote, "
        f"not {name!r}"
    )
