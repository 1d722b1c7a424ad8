"""The synthesis of blocks with Yosys, a process each, cached by contents."""

import dataclasses
import gzip
import hashlib
import json
import subprocess
import sys
import tempfile
import zlib
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
from tercel_hw.synthesis.graph import Graph, make_graph
from tercel_hw.synthesis.joined import join
from tercel_hw.synthesis.netlist import Netlist
from tercel_hw.synthesis.resources import Resources, count_resources
from tercel_hw.synthesis.script import options
from tercel_hw.synthesis.timing import Timing, analyse
from tercel_hw.synthesis.ultra_ram import ultra_blocks
from tercel_hw.target import Target

__all__ = ["Measured", "measure_blocks", "measure_timing"]

SOURCES = ("script", "worker")
"""Modules on which a netlist depends."""
ANALYSIS = ("netlist", "resources", "ultra_ram", "depth", "delays", "arcs", "graph", "run")
"""Modules on which a result depends besides."""
LOG_LINES = 6
"""Number of last lines of a failed synthesis' log that the error shows."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Result of the synthesis of a block."""

    name: str
    module: str
    resources: Resources
    depth: Depth
    graph: Graph


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
            measured = _measure(block, target, folder, key)
        report(f"{block.name}: {measured.resources.lut} LUT, {measured.depth.levels} levels")
        return measured

    with ThreadPoolExecutor(max_workers=jobs) as pool:
        futures = [pool.submit(measure, block) for block in blocks]
        try:
            return [future.result() for future in futures]
        finally:
            pool.shutdown(cancel_futures=True)


def measure_timing(measured: Sequence[Measured], *, top: str, limit_ps: int) -> Timing:
    """Analyse the timing of blocks, joined at their ports.

    Parameters
    ----------
    top
        Module of the design. If it is among the blocks, outer ports are those of the processing
        system; otherwise they are registers.

    Raises
    ------
    TercelError
        If logic feeds itself.
    """
    graphs = {block.module: (block.name, block.graph) for block in measured}
    return analyse(join(graphs), limit_ps=limit_ps, ports=top in graphs)


def _measure(block: Block, target: Target, folder: Path, key: str) -> Measured:
    stored = folder / f"{key}-{_hash(*_sources(ANALYSIS))[:8]}.json.gz"
    if measured := _stored(block, stored):
        return measured
    netlist = folder / f"{key}.netlist.gz"
    if (contents := _read(netlist)) is None:
        _synthesise(block, target, netlist)
        contents = _read(netlist)
    if not isinstance(contents, dict):
        raise TercelError(f"{netlist} was changed by another program; try again")
    found = Netlist(contents, top=block.top)
    resources = count_resources(found)
    resources = dataclasses.replace(resources, uram=max(resources.uram, ultra_blocks(block.rtlil)))
    results = {
        "resources": resources,
        "depth": measure_depth(found),
        "graph": make_graph(found),
    }
    fields = {name: dataclasses.asdict(result) for name, result in results.items()}
    write_whole(stored, gzip.compress(json.dumps(fields).encode(), 1, mtime=0))
    return Measured(name=block.name, module=block.top, **results)


def _stored(block: Block, path: Path) -> Measured | None:
    """Return the result in a file, or None if it is missing or broken."""
    try:
        found = _read(path)
        depth = Depth(**found["depth"] | {"path": tuple(found["depth"]["path"])})
        return Measured(
            name=block.name,
            module=block.top,
            resources=Resources(**found["resources"]),
            depth=depth,
            graph=Graph.parse(found["graph"]),
        )
    except (ValueError, TypeError, KeyError):
        return None


def _read(path: Path) -> Any:
    """Return the contents of a compressed JSON file, or None if it is missing or broken."""
    try:
        return json.loads(gzip.decompress(path.read_bytes()))
    except (OSError, EOFError, ValueError, zlib.error):
        return None


def _key(block: Block, target: Target) -> str:
    """Return a hash of everything that a block's netlist depends on."""
    return _hash(version("pyosys"), options(target), block.top, block.rtlil, *_sources(SOURCES))[
        :32
    ]


def _sources(names: Sequence[str]) -> list[str]:
    return [(Path(__file__).parent / f"{name}.py").read_text() for name in names]


def _hash(*parts: str) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{len(part)} {part}".encode())
    return digest.hexdigest()


def _synthesise(block: Block, target: Target, netlist: Path) -> None:
    """Synthesise a block and store its netlist."""
    log = netlist.with_suffix(".log")
    with tempfile.TemporaryDirectory(prefix="tercel-synthesis-") as name:
        folder = Path(name)
        (folder / "block.il").write_text(block.rtlil)
        worker = [sys.executable, "-m", "tercel_hw.synthesis.worker"]
        with write_errors(log):
            output = log.open("w")
        with output:
            done = subprocess.run(
                [*worker, "block.il", block.top, "netlist.gz", target.value],
                cwd=folder,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        if done.returncode:
            last = "\n".join(log.read_text(errors="replace").splitlines()[-LOG_LINES:])
            raise TercelError(f"the synthesis of {block.name} failed, see {log}:\n{last}")
        write_whole(netlist, (folder / "netlist.gz").read_bytes())
    log.unlink()
