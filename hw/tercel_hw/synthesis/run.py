"""The synthesis of blocks with Yosys, a process each, cached by contents."""

import dataclasses
import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import Any

from tercel.cache_folder import cache_folder
from tercel.errors import TercelError
from tercel.files import make_folder, write_errors, write_whole
from tercel_hw.synthesis.blocks import Block
from tercel_hw.synthesis.depth import Depth, measure_depth
from tercel_hw.synthesis.netlist import Netlist
from tercel_hw.synthesis.resources import Resources, count_resources
from tercel_hw.synthesis.script import options
from tercel_hw.target import Target

__all__ = ["Measured", "measure_blocks"]

SOURCES = ("script", "worker", "netlist", "depth", "resources")
"""Modules on which a result depends."""
LOG_LINES = 6
"""Number of last lines of a failed synthesis' log that the error shows."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Result of the synthesis of a block."""

    name: str
    resources: Resources
    depth: Depth


def measure_blocks(
    blocks: Sequence[Block],
    *,
    target: Target = Target.ULTRASCALE_PLUS,
    jobs: int = 1,
    cache: Path | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> list[Measured]:
    """Synthesise blocks; results come in the order of the blocks.

    Parameters
    ----------
    target
        Target for which the blocks were emitted; decides the family of devices.
    jobs
        Number of parallel processes.
    cache
        Folder of earlier results; ``None`` is :func:`tercel.cache_folder.cache_folder` of
        ``synthesis``.
    report
        Called with each block that is done.

    Raises
    ------
    TercelError
        If a synthesis fails, when its log stays in the cache, or the cache cannot be written.
    """
    folder = cache_folder("synthesis") if cache is None else cache
    make_folder(folder)
    turns: dict[str, Lock] = {}

    def measure(block: Block) -> Measured:
        key = _key(block, target)
        # If blocks have equal contents, the second takes the result of the first.
        with turns.setdefault(key, Lock()):
            measured = _measure(block, target, folder / f"{key}.json")
        report(f"{block.name}: {measured.resources.lut} LUT, {measured.depth.levels} levels")
        return measured

    with ThreadPoolExecutor(max_workers=jobs) as pool:
        futures = [pool.submit(measure, block) for block in blocks]
        try:
            return [future.result() for future in futures]
        finally:
            pool.shutdown(cancel_futures=True)


def _measure(block: Block, target: Target, stored: Path) -> Measured:
    if (measured := _stored(block, stored)) is None:
        found = _synthesise(block, target, stored.with_suffix(".log"))
        write_whole(stored, json.dumps(found))
        measured = _stored(block, stored)
    if measured is None:
        raise TercelError(f"{stored} was changed by another program; try again")
    return measured


def _stored(block: Block, path: Path) -> Measured | None:
    """Return the result in a file, or None if it is missing or broken."""
    try:
        found = json.loads(path.read_text())
        depth = Depth(**found["depth"] | {"path": tuple(found["depth"]["path"])})
        return Measured(name=block.name, resources=Resources(**found["resources"]), depth=depth)
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None


def _key(block: Block, target: Target) -> str:
    """Return a hash of everything that a block's result depends on."""
    digest = hashlib.sha256()
    sources = [(Path(__file__).parent / f"{name}.py").read_text() for name in SOURCES]
    for part in (version("pyosys"), options(target), block.top, block.rtlil, *sources):
        digest.update(f"{len(part)} {part}".encode())
    return digest.hexdigest()[:32]


def _synthesise(block: Block, target: Target, log: Path) -> dict[str, Any]:
    """Synthesise a block; return its resources and depth as JSON objects."""
    with tempfile.TemporaryDirectory(prefix="tercel-synthesis-") as name:
        folder = Path(name)
        (folder / "block.il").write_text(block.rtlil)
        worker = [sys.executable, "-m", "tercel_hw.synthesis.worker"]
        with write_errors(log):
            output = log.open("w")
        with output:
            done = subprocess.run(
                [*worker, "block.il", block.top, "netlist.json", target.value],
                cwd=folder,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        if done.returncode:
            last = "\n".join(log.read_text(errors="replace").splitlines()[-LOG_LINES:])
            raise TercelError(f"the synthesis of {block.name} failed, see {log}:\n{last}")
        netlist = Netlist(json.loads((folder / "netlist.json").read_text()), top=block.top)
    log.unlink()
    found = {"resources": count_resources(netlist), "depth": measure_depth(netlist)}
    return {name: dataclasses.asdict(record) for name, record in found.items()}
