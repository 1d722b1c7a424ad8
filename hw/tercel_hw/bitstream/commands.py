"""The commands ``tercel bitstream`` and ``tercel bitstream-report``."""

from pathlib import Path
from typing import Annotated

import typer

from tercel.cli.outputs import tell_replaced
from tercel.files import check_folder

__all__ = ["bitstream", "bitstream_report"]

STEM = "tercel"


def bitstream(
    board: Annotated[str, typer.Option(help="A board of `tercel hdl --board`.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="A folder for all files.")],
    hours: Annotated[
        float, typer.Option(min=0.01, help="Longest time that the vendor's tool may take.")
    ] = 24.0,
) -> None:
    """Build the overlay of a board's accelerator with Vivado: bitstream, description, device tree.

    What a run needs is checked first. The overlay is the folder `overlay` of the output, in which
    all files have one base name; reports are in `reports`. NOT RUN on a Vivado by its authors.
    """
    from tercel.hardware.build_record import BuildRecord
    from tercel_hw.bitstream.run import build_bitstream
    from tercel_hw.bitstream.table import as_markdown
    from tercel_hw.bitstream.tool import find_vivado
    from tercel_hw.board import load_board
    from tercel_hw.export.configuration import preset
    from tercel_hw.export.files import write_files

    found = load_board(board)
    vivado = find_vivado()
    check_folder(output, (f"{STEM}.v", f"{STEM}.json"))
    from tercel_hw.export.bundle import bundle  # Slow: errors of the options come first.

    tell_replaced([output / f"{STEM}.v"])
    typer.echo(f"writing the accelerator {found.preset}", err=True)
    write_files(output, bundle(preset(found.preset), stem=STEM, board=found))
    overlay = build_bitstream(
        output, vivado, stem=STEM, hours=hours, report=lambda line: typer.echo(line, err=True)
    )
    typer.echo(as_markdown([BuildRecord.load(overlay / f"{STEM}_build.json")]))
    for path in sorted(path for path in overlay.rglob("*") if path.is_file()):
        typer.echo(path)


def bitstream_report(
    records: Annotated[
        list[Path], typer.Argument(help="Records of builds: overlay/*_build.json or reports/*.")
    ],
) -> None:
    """Show builds as a Markdown table: clock, slacks, resources."""
    from tercel.hardware.build_record import BuildRecord
    from tercel_hw.bitstream.table import as_markdown

    typer.echo(as_markdown([BuildRecord.load(path) for path in records]), nl=False)
