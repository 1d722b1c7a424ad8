"""The calibration of the resource model: ``python -m tercel_sim.explore.calibration``.

Points are small accelerators, of which the largest blocks are synthesised one by one, and the
stored report of the kv260. Earlier results come from the cache of ``tercel synth``, so a run that
was ended goes on where it was.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tercel.files import write_whole
from tercel_hw.board import load_board
from tercel_hw.emission import emit_rtlil
from tercel_hw.export.bundle import stored_report
from tercel_hw.export.module_name import MODULE
from tercel_hw.synthesis.blocks import cut
from tercel_hw.synthesis.resources import Resources
from tercel_hw.synthesis.run import measure_blocks
from tercel_hw.target import Target
from tercel_hw.top import ACCELERATORS
from tercel_hw.top.accelerator import Accelerator
from tercel_sim.explore.design import Design
from tercel_sim.explore.resource_model import CALIBRATION

__all__ = ["POINTS", "Point", "calibration"]

FORMAT = "tercel calibration"
COMMAND = "python -m tercel_sim.explore.calibration"
STORED_BOARD = "kv260"
PRESET = ACCELERATORS["kv260"]
"""Parameters that the points do not change."""
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
"""The blocks that take nine tenths of the kv260; the others count as there."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """An accelerator that is synthesised in parts."""

    design: Design
    held_out: bool = False
    """True if the model is judged by it, not fitted to it."""
    blocks: tuple[str, ...] = BLOCKS


def _point(
    nodes: int,
    ports: tuple[int, int],
    code: tuple[str, int],
    chain: int,
    tape_words: int,
    held_out: bool = False,
    blocks: tuple[str, ...] = BLOCKS,
) -> Point:
    return Point(
        design=Design(
            nodes=nodes,
            ports=ports[0],
            port_bytes=ports[1],
            code=code[0],
            tables=code[1],
            chain=chain,
            tape_words=tape_words,
            clock_mhz=250,
        ),
        held_out=held_out,
        blocks=blocks,
    )


POINTS = (
    _point(1, (1, 16), ("base3", 16), 8, 4096),
    _point(2, (2, 16), ("index5", 24), 16, 8192, blocks=BLOCKS[:1]),
    _point(3, (2, 16), ("base3", 24), 8, 4096, held_out=True, blocks=BLOCKS[:2]),
)
"""Points; all of them take some ten minutes of one core."""


def calibration(points: Iterable[Point], stored: Mapping[str, Any] | None) -> dict[str, Any]:
    """Measure points; return the calibration as a JSON object.

    Parameters
    ----------
    points
    stored
        A report of ``tercel synth`` that is a fitted point as well.

    Raises
    ------
    TercelError
        If a synthesis fails.
    """
    found = []
    if stored is not None:
        blocks = {
            name: {kind: block[kind] for kind in asdict(Resources())}
            for name, block in stored["blocks"].items()
        }
        found.append(
            {"held_out": False, "parameters": stored["parameters"], "blocks": _sorted(blocks)}
        )
    for point in points:
        config = point.design.accelerator(PRESET)
        print(point.design.short, file=sys.stderr, flush=True)
        rtlil = emit_rtlil(Accelerator(config=config), MODULE, target=Target.ULTRASCALE_PLUS)
        wanted = [block for block in cut(rtlil, top=MODULE) if block.name in point.blocks]
        measured = measure_blocks(wanted, report=lambda line: print(line, file=sys.stderr))
        blocks = {block.name: asdict(block.resources) for block in measured}
        found.append(
            {
                "held_out": point.held_out,
                "parameters": config.parameters(),
                "blocks": _sorted(blocks),
            }
        )
    return {"format": FORMAT, "command": COMMAND, "points": found}


def _sorted(blocks: Mapping[str, Any]) -> dict[str, Any]:
    return {name: blocks[name] for name in sorted(blocks)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=CALIBRATION, help="the file to write")
    arguments = parser.parse_args()
    stored = json.loads(stored_report(load_board(STORED_BOARD)).read_text())
    found = calibration(POINTS, stored)
    write_whole(arguments.output, json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
