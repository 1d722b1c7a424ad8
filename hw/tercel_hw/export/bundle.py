"""The bundle of all files of an accelerator."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import tercel
from tercel.errors import TercelError
from tercel_hw.board import BoardSpec
from tercel_hw.emission import emit_verilog
from tercel_hw.export.configuration import parse_configuration
from tercel_hw.export.device_tree import device_tree, shell
from tercel_hw.export.fusesoc import core_file
from tercel_hw.export.interfaces import describe_interfaces
from tercel_hw.export.lint import lint_configuration
from tercel_hw.export.module_name import MODULE, check_module_name
from tercel_hw.export.sidecar import sidecar
from tercel_hw.export.vivado import board_files, check_board
from tercel_hw.primitives import primitive_models
from tercel_hw.registers import accelerator_registers, c_header, markdown, svd, systemrdl
from tercel_hw.target import Target
from tercel_hw.top.accelerator import Accelerator
from tercel_hw.top.config import AcceleratorConfig

__all__ = ["bundle", "read_resources", "stored_report"]

STORED = "resources.json"
"""Name of the report of `tercel synth` for a preset, in the folder of the board of that name."""
OVERLAY = "overlay"
"""Folder of what the runtime loads; the vendor's tool adds the bitstream."""

INSTANTIATED = re.compile(r"^module (\w+)", re.MULTILINE)


def bundle(
    config: AcceleratorConfig,
    *,
    stem: str,
    module: str = MODULE,
    board: BoardSpec | None = None,
    target: Target | None = None,
    resources: Path | None = None,
) -> dict[str, str]:
    """Return the text of each file by name: Verilog, sidecar, registers, lint, core file, scripts.

    For a target with primitives, models of them are included.

    Parameters
    ----------
    stem
        Prefix of the files' names.
    module
        Top module, the prefix of the names of all modules and registers.
    board
        Board for which the vendor's scripts are included.
    target
        Target of the Verilog; by default the board's, or portable without one.
    resources
        A report of `tercel synth` for the sidecar; by default the board's.

    Raises
    ------
    TercelError
        If the name or the board does not fit, or the report is of another accelerator.
    """
    if board is not None:
        check_board(board, config)
    if target is None:
        target = board.target if board else Target.PORTABLE
    if resources:
        report = read_resources(config, target, resources)
    else:
        report = _stored(config, target, board)
    models = primitive_models(target)
    check_module_name(module, reserved=frozenset(INSTANTIATED.findall(models)))
    interfaces = describe_interfaces(config)
    registers = replace(accelerator_registers(config.control), name=module)
    verilog = emit_verilog(Accelerator(config=config), module, target=target)
    primitives = f"{stem}_primitives.v" if models else None
    facts = sidecar(
        config,
        module=module,
        target=target,
        verilog=verilog,
        interfaces=interfaces,
        registers=registers,
        resources=report,
        board=board,
    )
    files = {f"{stem}.v": verilog}
    if primitives:
        files[primitives] = models
    files |= {
        f"{stem}.json": json.dumps(facts, indent=2) + "\n",
        f"{stem}_registers.h": c_header(registers),
        f"{stem}_registers.md": markdown(registers),
        f"{stem}_registers.rdl": systemrdl(registers),
        f"{stem}_registers.svd": svd(
            registers, version=tercel.__version__, base=board.control_base if board else 0
        ),
        f"{stem}.vlt": lint_configuration(f"{stem}.v", primitives),
        f"{stem}.core": core_file(
            module=module, verilog=f"{stem}.v", primitives=primitives, lint=f"{stem}.vlt"
        ),
    }
    if board is not None:
        files |= board_files(
            board,
            interfaces,
            config=config,
            module=module,
            stem=stem,
            sha256=facts["sha256"],
        )
        files |= {
            f"{OVERLAY}/{stem}.json": files[f"{stem}.json"],
            f"{OVERLAY}/{stem}.dtso": device_tree(board, stem=stem),
            f"{OVERLAY}/shell.json": shell(),
        }
    return files


def stored_report(board: BoardSpec) -> Path:
    """Return the place of the report of a board's preset; boards of one preset share it."""
    return board.folder.parent / board.preset / STORED


def read_resources(config: AcceleratorConfig, target: Target, path: Path) -> dict[str, Any]:
    """Read a report of `tercel synth`.

    Raises
    ------
    TercelError
        If it cannot be read, or does not cover all blocks of this accelerator for the target.
    """
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TercelError(f"the report {path} cannot be read: {error}") from None
    if not isinstance(report, dict) or report.get("format") != "tercel synthesis":
        raise TercelError(f"{path} is no report of `tercel synth`")
    # Parsed, for a field that came later has its default.
    if parse_configuration(report.get("parameters")) != config:
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
    """Return the report in a board's folder if it is of this accelerator and target, else None."""
    if board is None or not (path := stored_report(board)).is_file():
        return None
    try:
        return read_resources(config, target, path)
    except TercelError:
        return None
