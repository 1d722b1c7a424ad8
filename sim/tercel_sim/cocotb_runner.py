"""The runner of cocotb benches on Icarus and Verilator."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from tercel.errors import TercelError
from tercel_sim.child_process import child_process
from tercel_sim.verilator import build_environment, check_compiler, find_verilator

__all__ = ["SIMULATORS", "check_simulator", "run_bench"]

SIMULATORS = ("icarus", "verilator")
PACKAGES = ("cocotb", "cocotbext.axi")
PUBLIC = '`verilator_config\npublic_flat_rw -module "{top}" -var "*"\n'
"""Only the signals of the top are public: every public signal slows Verilator down."""
OPTIMISE = "-O1"
"""Optimisation level of the C++ compiler: higher ones compile twice as long for no gain."""
LOG_LINES = 40
"""Number of last lines of a failed run's log that the error shows."""


def check_simulator(simulator: str) -> None:
    """Refuse a simulator on which benches cannot run.

    Raises
    ------
    TercelError
        If there is no such simulator, or a package or a tool is not installed.
    """
    if simulator not in SIMULATORS:
        raise TercelError(f"simulator must be one of {', '.join(SIMULATORS)}, not {simulator!r}")
    for package in PACKAGES:
        if not _installed(package):
            raise TercelError(f"a bench needs {package}: pip install 'tercel[sim]'")
    if simulator == "verilator":
        check_compiler()
        find_verilator()
    elif shutil.which("iverilog") is None:
        raise TercelError("a bench on Icarus needs iverilog: apt install iverilog")


def run_bench(
    verilog: str,
    *,
    top: str,
    bench: Path,
    folder: Path,
    simulator: str = "icarus",
    arguments: Mapping[str, object] | None = None,
    limit_s: float = 1800,
) -> None:
    """Build a design and run all cocotb tests of a module on it, in a process of its own.

    Parameters
    ----------
    verilog
        Text of the design.
    top
        Its top module.
    bench
        The module with the tests; it may import its neighbours.
    folder
        Folder for the design, the build, the log and the results.
    arguments
        Arguments of the bench, which finds them as text in ``cocotb.plusargs``.
    limit_s
        Limit of the run in seconds.

    Raises
    ------
    TercelError
        If a tool is missing, the build or a test fails, there is no test, or the limit is reached.
    """
    check_simulator(simulator)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "design.v").write_text(verilog)
    sources = ["design.v"]
    if simulator == "verilator":
        (folder / "public.vlt").write_text(PUBLIC.format(top=top))
        sources.insert(0, "public.vlt")
    job = {
        "simulator": simulator,
        "top": top,
        "bench": bench.stem,
        "sources": sources,
        "plusargs": [f"+{name}={value}" for name, value in (arguments or {}).items()],
    }
    log = folder / "log"
    command = [sys.executable, "-m", "tercel_sim.cocotb_worker", json.dumps(job)]
    environment = _environment(simulator, bench.resolve().parent)
    with log.open("w") as output:
        code = _run(command, folder, environment, output, limit_s)
    if code is None:
        raise TercelError(f"{bench.stem} did not end within {limit_s} s, see {log}")
    if code:
        last = "\n".join(log.read_text(errors="replace").splitlines()[-LOG_LINES:])
        raise TercelError(f"{bench.stem} failed on {simulator}, see {log}:\n{last}")


def _installed(package: str) -> bool:
    parent = package.rpartition(".")[0]
    return (not parent or _installed(parent)) and importlib.util.find_spec(package) is not None


def _run(
    command: list[str], folder: Path, environment: dict[str, str], output: IO[str], limit_s: float
) -> int | None:
    """Run a command; return its exit code, or None if it took too long."""
    options = {"cwd": folder, "env": environment, "stdout": output, "stderr": subprocess.STDOUT}
    # The worker ends with its standard input.
    with child_process(command, stdin=subprocess.PIPE, **options) as process:
        try:
            return process.wait(limit_s)
        except subprocess.TimeoutExpired:
            return None


def _environment(simulator: str, benches: Path) -> dict[str, str]:
    environment = dict(os.environ)
    if simulator == "verilator":
        program = find_verilator()
        environment = build_environment(program)
        environment["PATH"] = f"{program.parent}{os.pathsep}{environment['PATH']}"
        flags = (environment.get("MAKEFLAGS"), f"OPT_FAST={OPTIMISE}")
        environment["MAKEFLAGS"] = " ".join(filter(None, flags))
    # Under pytest the runner would check the results itself.
    environment.pop("PYTEST_CURRENT_TEST", None)
    environment["PYTHONPATH"] = os.pathsep.join([str(benches), *filter(None, sys.path)])
    return environment
