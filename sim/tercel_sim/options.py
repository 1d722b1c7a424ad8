"""Options shared by the commands that simulate."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["CacheOption"]

CacheOption = Annotated[
    Path | None,
    typer.Option(
        "--cache",
        help="Folder of compiled accelerators; by default tercel/simulation in XDG_CACHE_HOME "
        "or ~/.cache.",
        metavar="DIR",
    ),
]
