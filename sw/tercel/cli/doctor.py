"""``tercel doctor``: what keeps a board from running models.

Its modules are imported when the command runs, so that other commands do not load them.
"""

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tercel.errors import TercelError
from tercel.image import Image
from tercel.runtime import find_model

if TYPE_CHECKING:
    from tercel.doctor import Finding
    from tercel.hardware.hardware_board import HardwareBoard

__all__ = ["doctor"]

FAILED = 1
LANES = ("pynq", "uio")


def doctor(
    overlay: Annotated[
        Path | None,
        typer.Option(
            help="The overlay's .bit: examine the accelerator too, which overwrites its memory.",
            metavar="FILE",
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(help="pynq or uio; by default pynq if it is installed.", metavar="NAME"),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="A model that shall fit.", metavar="MODEL")
    ] = None,
    context: Annotated[
        int | None, typer.Option(help="Positions of the model's cache.", metavar="N")
    ] = None,
    memory: Annotated[
        str, typer.Option(help="The u-dma-buf of the device uio.", metavar="NAME")
    ] = "udmabuf0",
    selftest: Annotated[
        bool, typer.Option("--selftest", help="Compare recorded passes bit for bit.")
    ] = False,
    sysroot: Annotated[
        Path | None,
        typer.Option(
            help="Examine the files of a system below this folder, without an accelerator.",
            metavar="DIR",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Examine board, Linux, Python and accelerator; say what to do about what is wrong.

    Ends with 1 if something keeps models from running.
    """
    from tercel.doctor import Software, examine_accelerator, examine_machine, examine_software
    from tercel.hardware.overlay_files import OverlayFiles
    from tercel.hardware.pynq_board import PynqBoard
    from tercel.hardware.system import System
    from tercel.hardware.uio_board import UioBoard

    if device not in (None, *LANES):
        raise TercelError(f"device must be one of {', '.join(LANES)}, not {device!r}")
    if overlay is None and (selftest or model is not None):
        raise TercelError("--selftest and --model need an accelerator: --overlay FILE")
    if overlay is not None and sysroot is not None:
        raise TercelError("--sysroot examines files alone; leave out --overlay")
    system, software = System(sysroot or Path("/")), Software.installed()
    findings = [*examine_software(software), *examine_machine(system, software)]
    if overlay is not None:
        files = OverlayFiles.find(overlay)
        lane = device or ("pynq" if software.release("pynq") else "uio")

        def open_board(words: int) -> "HardwareBoard":
            if lane == "pynq":
                return PynqBoard(files, words=words)
            return UioBoard(files, words=words, memory=memory, system=system)

        image = None if model is None else Image.open(find_model(model))
        findings += examine_accelerator(
            files, open_board, image=image, context=context, selftest=selftest
        )
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            _show(finding)
    if any(finding.level == "failure" for finding in findings):
        raise typer.Exit(FAILED)


def _show(finding: "Finding") -> None:
    typer.echo(f"{finding.level:8}{finding.name}: {finding.state}")
    if finding.remedy:
        typer.echo(f"        -> {finding.remedy}")
