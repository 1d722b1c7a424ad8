"""The calibration of the resource model: ``python -m tercel_sim.explore.calibration``.

Points are small accelerators of which the largest blocks are synthesised one by one; the stored
reports of the boards' presets are the others. Earlier results come from the cache of ``tercel
synth``, so a run that was ended goes on where it was.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tercel.files import write_whole
from tercel_hw.board import board_names
from tercel_hw.emission import emit_rtlil
from tercel_hw.export.module_name import MODULE
from tercel_hw.synthesis.blocks import cut
from tercel_hw.synthesis.run import measure_blocks
from tercel_hw.target import Target
from tercel_hw.top import ACCELERATORS, AcceleratorConfig
from tercel_hw.top.accelerator import Accelerator
from tercel_sim.explore.design import Design
from tercel_sim.explore.measured import CALIBRATION, Measured, load_calibration, preset_reports
from tercel_sim.explore.resource_model import ResourceModel, left_out

__all__ = ["POINTS", "Point", "calibration", "errors"]

FORMAT = "tercel calibration"
COMMAND = "python -m tercel_sim.explore.calibration"
BLOCKS = (
    "core.engine",
    "core.attention",
    "core.quantiser",
    "core.rotary",
    "core.gearbox",
    "core.gate",
    "core.cache",
    "core.head",
    "core.head_quantiser",
    "core.residual",
    "core.dequantiser",
    "memory.writer",
    "core.loader",
    "memory.reader",
    "core.store",
    "memory.channel_tape",
    "core.gains",
    "core.scale_targets",
    "memory.channel_cache",
    "memory.channel_vector",
)
"""The blocks that take nine tenths of the kv260; the others count as in the presets."""
LARGE = ("core.engine", "core.attention", "core.quantiser", "core.residual")
"""Blocks by which small accelerators are judged: the largest, and those with large memories."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """An accelerator that is synthesised in parts."""

    design: Design
    preset: str = "kv260"
    """The accelerator with all other parameters."""
    target: Target = Target.ULTRASCALE_PLUS
    held_out: bool = False
    """True if the model is judged by it, not fitted to it."""
    blocks: tuple[str, ...] = BLOCKS

    @property
    def config(self) -> AcceleratorConfig:
        return self.design.accelerator(ACCELERATORS[self.preset])


def _design(
    nodes: int, ports: tuple[int, int], code: tuple[str, int], chain: int, tape_words: int
) -> Design:
    return Design(
        nodes=nodes,
        ports=ports[0],
        port_bytes=ports[1],
        code=code[0],
        tables=code[1],
        chain=chain,
        tape_words=tape_words,
        clock_mhz=250,
    )


POINTS = (
    Point(design=_design(1, (1, 16), ("base3", 16), 8, 4096)),
    Point(design=_design(2, (2, 16), ("index5", 24), 16, 8192), blocks=BLOCKS[:1]),
    Point(design=_design(3, (2, 16), ("base3", 24), 8, 4096), held_out=True, blocks=BLOCKS[:2]),
    Point(
        design=_design(2, (1, 16), ("base3", 24), 8, 1024),
        preset="ultra96v2",
        held_out=True,
        blocks=LARGE,
    ),
    Point(
        design=_design(1, (2, 8), ("base3", 16), 4, 1024),
        preset="pynq-z2",
        target=Target.SERIES_7,
        blocks=LARGE,
    ),
    Point(
        design=_design(1, (2, 8), ("index5", 24), 8, 1024),
        preset="pynq-z2",
        target=Target.SERIES_7,
        blocks=BLOCKS[:1],
    ),
)
"""Points that are synthesised."""


def calibration(points: Iterable[Point]) -> dict[str, Any]:
    """Measure points; return the calibration as a JSON object.

    Raises
    ------
    TercelError
        If a synthesis fails.
    """
    found = []
    for point in points:
        print(f"{point.preset}: {point.design.short}", file=sys.stderr, flush=True)
        rtlil = emit_rtlil(Accelerator(config=point.config), MODULE, target=point.target)
        wanted = [block for block in cut(rtlil, top=MODULE) if block.name in point.blocks]
        measured = measure_blocks(
            wanted, target=point.target, report=lambda line: print(line, file=sys.stderr)
        )
        blocks = {block.name: asdict(block.resources) for block in measured}
        found.append(
            {
                "name": f"{point.preset}: {point.design.short}",
                "held_out": point.held_out,
                "target": point.target.value,
                "parameters": point.config.parameters(),
                "blocks": _sorted(blocks),
            }
        )
    return {"format": FORMAT, "command": COMMAND, "points": found}


def _sorted(blocks: Mapping[str, Any]) -> dict[str, Any]:
    return {name: blocks[name] for name in sorted(blocks)}


def errors(points: Sequence[Measured]) -> Iterator[str]:
    """Lines with the relative errors on what is held out of the fit, and on presets left out."""
    model = ResourceModel(points)
    found = {
        f"{point.name}, held out, {len(point.blocks)} blocks": model.error(point)
        for point in points
        if point.held_out
    }
    found |= {f"{name}, left out": each for name, each in left_out(points).items()}
    for name, each in found.items():
        told = ", ".join(f"{kind} {100 * value:+.0f} %" for kind, value in each.items())
        yield f"{name}: {told}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=CALIBRATION, help="the file to write")
    parser.add_argument(
        "--errors", action="store_true", help="print the errors of the file, without a synthesis"
    )
    arguments = parser.parse_args()
    if not arguments.errors:
        found = calibration(POINTS)
        write_whole(arguments.output, json.dumps(found, indent=1) + "\n")
    points = [*preset_reports(board_names()), *load_calibration(arguments.output)]
    print("\n".join(errors(points)))


if __name__ == "__main__":
    main()
