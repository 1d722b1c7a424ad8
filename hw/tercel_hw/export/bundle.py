"""All files of an accelerator."""

import json
from pathlib import Path
from typing import Any

from tercel.errors import TercelError
from tercel_hw.board import BoardSpec
from tercel_hw.emission import emit_verilog
from tercel_hw.export.fusesoc import core_file
from tercel_hw.export.interfaces import describe_interfaces
from tercel_hw.export.lint import lint_configuration
from tercel_hw.export.sidecar import sidecar
from tercel_hw.export.vivado import board_files, check_board
from tercel_hw.primitives import primitive_models
from tercel_hw.registers import accelerator_registers, c_header, markdown
from tercel_hw.target import Target
from tercel_hw.top.accelerator import Accelerator
from tercel_hw.top.config import AcceleratorConfig

__all__ = ["MODULE", "STORED", "bundle", "read_resources"]

MODULE = "tercel"
"""Top module."""
STORED = "resources.json"
"""In a board's folder: the report of `tercel synth` for the board's preset."""


def bundle(
    config: AcceleratorConfig,
    *,
    stem: str,
    board: BoardSpec | None = None,
    target: Target | None = None,
    resources: Path | None = None,
) -> dict[str, str]:
    """The text of each file by name: Verilog, sidecar, registers, lint, core file, scripts.

    For a target with primitives there are models of them too.

    Parameters
    ----------
    stem
        What the files' names begin with.
    board
        For which to write the vendor's scripts.
    target
        What the Verilog is for; by default the board's, or portable without one.
    resources
        A report of `tercel synth` for the sidecar; by default the board's.

    Raises
    ------
    TercelError
        If the board has not the ports, or the report is of another accelerator.
    """
    if board is not None:
        check_board(board, config)
    if target is None:
        target = board.target if board else Target.PORTABLE
    if resources:
        report = read_resources(config, target, resources)
    else:
        report = _stored(config, target, board)
    interfaces = describe_interfaces(config)
    registers = accelerator_registers(config.control)
    verilog = emit_verilog(Accelerator(config=config), MODULE, target=target)
    models = primitive_models(target)
    primitives = f"{stem}_primitives.v" if models else None
    facts = sidecar(
        config,
        module=MODULE,
        target=target,
        verilog=verilog,
        interfaces=interfaces,
        registers=registers,
        resources=report,
    )
    files = {f"{stem}.v": verilog}
    if primitives:
        files[primitives] = models
    files |= {
        f"{stem}.json": json.dumps(facts, indent=2) + "\n",
        f"{stem}_registers.h": c_header(registers),
        f"{stem}_registers.md": markdown(registers),
        f"{stem}.vlt": lint_configuration(f"{stem}.v", primitives),
        f"{stem}.core": core_file(
            module=MODULE, verilog=f"{stem}.v", primitives=primitives, lint=f"{stem}.vlt"
        ),
    }
    if board is not None:
        files |= board_files(board, interfaces, module=MODULE, stem=stem)
    return files


def read_resources(config: AcceleratorConfig, target: Target, path: Path) -> dict[str, Any]:
    """A report of `tercel synth`.

    Raises
    ------
    TercelError
        If it cannot be read, or is not of all blocks of this accelerator for the target.
    """
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TercelError(f"the report {path} cannot be read: {error}") from None
    if not isinstance(report, dict) or report.get("format") != "tercel synthesis":
        raise TercelError(f"{path} is no report of `tercel synth`")
    if report.get("parameters") != config.parameters():
        raise TercelError(f"the report {path} is of an accelerator with other parameters")
    if (found := report.get("target")) != target.value:
        raise TercelError(
            f"the report {path} is for the target {found!r}, but the Verilog for {target.value!r}"
        )
    if not report.get("complete"):
        raise TercelError(f"the report {path} is of some blocks only; run `tercel synth` for all")
    return report


def _stored(
    config: AcceleratorConfig, target: Target, board: BoardSpec | None
) -> dict[str, Any] | None:
    """The report that lies with a board, if it is of this accelerator and target."""
    path = board.folder / STORED if board else None
    if path is None or not path.is_file():
        return None
    try:
        return read_resources(config, target, path)
    except TercelError:
        return None
