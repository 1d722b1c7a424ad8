"""Examination of the Python environment against what pynq supports."""

import platform
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from tercel.doctor.finding import Finding

__all__ = ["Software", "examine_software"]

PACKAGES = ("pynq", "numpy", "pycparser", "grpcio")
OLDEST, NEWEST = (3, 0, 1), (4,)
"""Oldest release of pynq, and the newest major one, that the boards know."""
LAST_PYTHON = (3, 12)
"""Newest Python for which pynq's pinned grpcio has wheels."""


@dataclass(frozen=True, kw_only=True)
class Software:
    """Versions of Python and of packages; those that are not installed are absent."""

    python: tuple[int, int]
    packages: Mapping[str, str]
    machine: str = "aarch64"

    @classmethod
    def installed(cls) -> "Software":
        """Versions with which this process runs."""
        found = {}
        for name in PACKAGES:
            try:
                found[name] = version(name)
            except PackageNotFoundError:
                continue
        return cls(python=sys.version_info[:2], packages=found, machine=platform.machine())

    def release(self, name: str) -> tuple[int, ...] | None:
        """Numbers of a package's version; ``None`` if it is not installed."""
        if name not in self.packages:
            return None
        numbers = []
        for part in self.packages[name].split("."):
            if not part.isdigit():
                break
            numbers.append(int(part))
        return tuple(numbers)


def examine_software(software: Software) -> Iterator[Finding]:
    """Compare versions with what pynq supports; without pynq there is nothing to compare."""
    python = ".".join(map(str, software.python))
    pynq = software.release("pynq")
    if pynq is None:
        yield Finding(
            name="python",
            level="ok",
            state=f"Python {python}, NumPy {software.packages.get('numpy')}, without pynq: "
            "--device uio runs, --device pynq does not",
        )
        return
    shown = software.packages["pynq"]
    if pynq < OLDEST or pynq[:1] > NEWEST:
        yield Finding(
            name="pynq",
            level="warning",
            state=f"pynq {shown}, but tercel knows 3.0.1 to 4",
            remedy="install a release in between, or take --device uio",
        )
    else:
        yield Finding(name="pynq", level="ok", state=f"pynq {shown}")
    if software.python > LAST_PYTHON:
        yield Finding(
            name="python",
            level="failure",
            state=f"Python {python}, for which pynq's grpcio has no wheels",
            remedy="use Python 3.10 (pynq 3) or 3.12 (pynq 4), or --device uio",
        )
    else:
        yield Finding(name="python", level="ok", state=f"Python {python}")
    for name, first in (("numpy", 2), ("pycparser", 3)):
        release = software.release(name)
        if release is not None and release[0] >= first:
            yield Finding(
                name=name,
                level="failure",
                state=f"{name} {software.packages[name]}, with which pynq cannot load overlays",
                remedy=f"pip install '{name}<{first}', or take --device uio",
            )
        elif release is not None:
            yield Finding(name=name, level="ok", state=f"{name} {software.packages[name]}")
    if pynq[0] >= 4 and software.machine == "armv7l":
        yield Finding(
            name="board",
            level="failure",
            state=f"pynq {shown} on a Zynq-7000, which pynq 4 no longer supports",
            remedy="install pynq 3.1 or 3.0.1, or take --device uio",
        )
