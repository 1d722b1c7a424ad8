"""The cache of built files, each with a manifest that reveals a broken file."""

import dataclasses
import errno
import fcntl
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tercel.cache_folder import cache_folder
from tercel.errors import TercelError
from tercel.file_hash import file_sha256
from tercel.files import write_whole
from tercel_sim.progress import Progress, quiet

__all__ = ["BuildCache", "Entry", "Manifest"]

WAIT_S = 4 * 3600
"""Limit in seconds of waiting for another process that builds the same entry."""
POLL_S = 0.1
NAME = re.compile(r"[0-9a-f]{32}[\w-]*(\.so|\.v)?")
"""Name of an entry, the prefix of the names of its manifest, lock and log."""
MANIFEST, LOCK, SCRATCH, LOG = ".json", ".lock", ".build", ".log"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Manifest of an entry, a JSON file beside it."""

    title: str
    """Title of the entry for people."""
    bytes: int
    sha256: str
    about: dict[str, Any] = dataclasses.field(default_factory=dict)
    """Description of the sources of the entry, for programs."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A file of the cache, listed without a check of its contents."""

    path: Path
    manifest: Manifest
    written: float
    """Time of the build, in seconds since the epoch."""


class BuildCache:
    """Built files by name, built once for all processes.

    Parameters
    ----------
    folder
        Folder of the files, made with the first one; ``None`` is
        :func:`tercel.cache_folder.cache_folder` of ``simulation``.
    """

    def __init__(self, folder: Path | None = None):
        self._folder = cache_folder("simulation") if folder is None else folder

    @property
    def folder(self) -> Path:
        return self._folder

    def find(self, name: str) -> Path | None:
        """Return the file of an entry if it exists and matches its manifest, else None."""
        path = self._folder / name
        try:
            manifest = _read_manifest(path)
            if manifest is None or path.stat().st_size != manifest.bytes:
                return None
            return path if file_sha256(path) == manifest.sha256 else None
        except OSError:
            return None

    def obtain(
        self,
        name: str,
        build: Callable[[Path], Path],
        *,
        title: str,
        about: dict[str, Any] | None = None,
        progress: Progress = quiet,
    ) -> Path:
        """Return the file of an entry, built if it is missing or broken.

        Parameters
        ----------
        name
            32 hexadecimal digits, a hash of the entry's inputs, and a suffix.
        build
            Function that gets an empty folder and returns the file that it built there.
        title, about
            Fields of the manifest.
        progress
            Shows the wait if another process builds the entry.

        Raises
        ------
        TercelError
            If the cache cannot be written, or the wait exceeds :data:`WAIT_S`.
        """
        if found := self.find(name):
            return found
        with self._explained():
            self._folder.mkdir(parents=True, exist_ok=True)
            with self._locked(name, progress):
                return self.find(name) or self._build(name, build, title, about or {})

    def log(self, name: str, text: str) -> Path | None:
        """Write the log of a failed build; return its path, or None if it cannot be written."""
        path = self._folder / f"{name}{LOG}"
        try:
            write_whole(path, text)
        except TercelError:
            return None
        return path

    def entries(self) -> list[Entry]:
        """Return all entries with a manifest, the oldest first.

        Raises
        ------
        TercelError
            If the folder cannot be read.
        """
        found = []
        with self._explained():
            for path in self._files():
                if NAME.fullmatch(path.name) and (manifest := _read_manifest(path)):
                    with suppress(FileNotFoundError):
                        written = path.stat().st_mtime
                        found.append(Entry(path=path, manifest=manifest, written=written))
        return sorted(found, key=lambda entry: entry.written)

    def clear(self) -> int:
        """Remove the remains of builds and all entries, except those that a process is building.

        Other files in the folder stay.

        Returns
        -------
        Bytes freed.

        Raises
        ------
        TercelError
            If a file cannot be removed.
        """
        freed = 0
        with self._explained():
            names = {match[0] for path in self._files() if (match := NAME.match(path.name))}
            for name in sorted(names):
                lock = self._folder / f"{name}{LOCK}"
                if file := _take(lock):
                    with file:
                        freed += sum(_remove(path) for path in [*self._belongings(name), lock])
        return freed

    def _files(self) -> list[Path]:
        try:
            return sorted(self._folder.iterdir())
        except FileNotFoundError:
            return []

    def _belongings(self, name: str) -> list[Path]:
        suffixes = ("", MANIFEST, SCRATCH, LOG)
        return [self._folder / f"{name}{suffix}" for suffix in suffixes]

    def _build(
        self, name: str, build: Callable[[Path], Path], title: str, about: dict[str, Any]
    ) -> Path:
        path = self._folder / name
        for old in self._belongings(name):  # A broken entry, or remains of a killed process.
            _remove(old)
        scratch = self._folder / f"{name}{SCRATCH}"
        scratch.mkdir()
        try:
            built = build(scratch)
            manifest = Manifest(
                title=title, bytes=built.stat().st_size, sha256=file_sha256(built), about=about
            )
            text = json.dumps(dataclasses.asdict(manifest), indent=2) + "\n"
            write_whole(path.with_name(name + MANIFEST), text)
            os.replace(built, path)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        return path

    @contextmanager
    def _locked(self, name: str, progress: Progress) -> Iterator[None]:
        path, deadline = self._folder / f"{name}{LOCK}", time.monotonic() + WAIT_S
        if (lock := _take(path)) is None:
            with progress("waiting for the process that builds the same"):
                while (lock := _take(path)) is None:
                    if time.monotonic() > deadline:
                        raise TercelError(
                            f"another process has held {path} for {WAIT_S} s; end it and try again"
                        )
                    time.sleep(POLL_S)
        with lock:
            try:
                yield
            finally:
                path.unlink(missing_ok=True)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn errors of the system into errors of the cache."""
        try:
            yield
        except OSError as error:
            raise self.refusal(error.strerror or str(error), error.errno) from error

    def refusal(self, reason: str, number: int | None = errno.ENOSPC) -> TercelError:
        """Return the error of a cache that cannot be used."""
        remedy = "free some space, or choose" if number in FULL else "choose"
        return TercelError(
            f"the cache of compiled accelerators, {self._folder}, cannot be used: {reason}; "
            f"{remedy} another folder with XDG_CACHE_HOME, --cache or --set cache=DIR"
        )


def _take(path: Path) -> IO[str] | None:
    """Take a lock; return ``None`` if another process holds it.

    The system releases a lock when its process ends. The holder removes the file, so a process that
    opened it before checks that the path still leads to the file that it locked.
    """
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(file.fileno()), path.stat()):
            return file
    except (BlockingIOError, FileNotFoundError):
        pass
    file.close()
    return None


def _read_manifest(path: Path) -> Manifest | None:
    try:
        return Manifest(**json.loads(path.with_name(path.name + MANIFEST).read_text("utf-8")))
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
        return None


def _remove(path: Path) -> int:
    """Remove a file or a folder; return its size in bytes."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
        return 0
    with suppress(FileNotFoundError):
        size = path.lstat().st_size
        path.unlink()
        return size
    return 0
