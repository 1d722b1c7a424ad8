"""Syntheses of accelerators, block by block, to which estimates of resources are fitted."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from tercel.errors import TercelError
from tercel_hw.board import load_board
from tercel_hw.export.bundle import read_resources, stored_report
from tercel_hw.export.configuration import parse_configuration
from tercel_hw.synthesis.resources import Resources
from tercel_hw.target import Target
from tercel_hw.top import ACCELERATORS, AcceleratorConfig

__all__ = ["CALIBRATION", "Measured", "load_calibration", "preset_reports"]

CALIBRATION = Path(__file__).parent / "calibration.json"
"""Syntheses of small accelerators; made by ``python -m tercel_sim.explore.calibration``."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The synthesis of an accelerator, or of some of its blocks."""

    name: str
    config: AcceleratorConfig
    target: Target
    blocks: Mapping[str, Resources]
    held_out: bool = False
    """True if estimates are judged by it, not fitted to it."""
    preset: bool = False
    """True for all blocks of the preset of a board."""

    @property
    def total(self) -> Resources:
        return sum(self.blocks.values(), Resources())

    def like(self, config: AcceleratorConfig, target: Target) -> bool:
        """Return True if it has the target and the kind of large memories of an accelerator."""
        return self.target is target and self.config.ultra_ram == config.ultra_ram


def preset_reports(boards: Iterable[str]) -> tuple[Measured, ...]:
    """The stored reports of the presets of boards, each once.

    Raises
    ------
    TercelError
        If a report is missing, or of another accelerator.
    """
    found: dict[str, Measured] = {}
    for board in map(load_board, boards):
        if board.preset in found:
            continue
        config = ACCELERATORS[board.preset]
        report = read_resources(config, board.target, stored_report(board))
        blocks = {
            name: Resources(**{kind: block[kind] for kind in asdict(Resources())})
            for name, block in report["blocks"].items()
        }
        found[board.preset] = Measured(
            name=board.preset, config=config, target=board.target, blocks=blocks, preset=True
        )
    return tuple(found.values())


def load_calibration(path: Path = CALIBRATION) -> tuple[Measured, ...]:
    """Read the syntheses of a calibration.

    Raises
    ------
    TercelError
        If the file cannot be read or is no calibration.
    """
    try:
        found = json.loads(path.read_text())
        return tuple(
            Measured(
                name=point["name"],
                config=parse_configuration(point["parameters"]),
                target=Target.parse(point["target"]),
                blocks={name: Resources(**block) for name, block in point["blocks"].items()},
                held_out=point["held_out"],
            )
            for point in found["points"]
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TercelError(f"the calibration {path} cannot be used: {error}") from None
