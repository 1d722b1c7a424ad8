"""Temporary obstacles to writing files in this process: permissions and a full disk."""

import ctypes
import os
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

CAPABILITIES_VERSION = 0x20080522
DAC_OVERRIDE, DAC_READ_SEARCH = 1, 2
"""Capabilities with which root ignores permissions."""


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint32) for name in ("effective", "permitted", "inheritable"))


@contextmanager
def permissions_hold() -> Iterator[None]:
    """Make permissions apply to root too, in this thread."""
    libc = ctypes.CDLL(None, use_errno=True)
    header, sets = _Header(CAPABILITIES_VERSION, 0), (_Sets * 2)()
    assert libc.capget(ctypes.byref(header), sets) == 0
    before = sets[0].effective
    sets[0].effective &= ~(1 << DAC_OVERRIDE | 1 << DAC_READ_SEARCH)
    assert libc.capset(ctypes.byref(header), sets) == 0
    try:
        yield
    finally:
        sets[0].effective = before
        assert libc.capset(ctypes.byref(header), sets) == 0


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Make a folder read-only, for root too."""
    mode = folder.stat().st_mode
    folder.chmod(0o555)
    try:
        with permissions_hold():
            yield
    finally:
        folder.chmod(mode)


@contextmanager
def full_disk(after: int = 0) -> Iterator[None]:
    """Let no file grow beyond ``after`` bytes: the kernel fails the write, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (after, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


NULL, FULL = 3, 7
"""Minor numbers of the devices that drop and that refuse what is written to them."""


def make_device(path: Path, minor: int) -> None:
    """Make a node of a memory device, so that no test touches the machine's own.

    The test is skipped where nodes cannot be made and opened.
    """
    try:
        os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, minor))
        os.close(os.open(path, os.O_WRONLY))
    except PermissionError:
        pytest.skip("making and opening device nodes takes root and a disk that allows them")


def names(folder: Path) -> list[str]:
    """Sorted names of all files in a folder, including hidden ones."""
    return sorted(os.listdir(folder))
