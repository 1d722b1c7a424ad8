"""A folder of built files, each with a manifest by which a broken one is known and built again."""

import dataclasses
import errno
import fcntl
import hashlib
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
from tercel.files import write_whole
from tercel_sim.progress import Progress, quiet

__all__ = ["BuildCache", "Entry", "Manifest"]

WAIT_S = 4 * 3600
"""How long another process may take to build what this one wants."""
POLL_S = 0.1
NAME = re.compile(r"[0-9a-f]{32}[\w-]*(\.so|\.v)?")
"""Of an entry; the names of what the cache keeps beside it begin with it."""
MANIFEST, LOCK, SCRATCH, LOG = ".json", ".lock", ".build", ".log"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Of an entry, in JSON beside it."""

    title: str
    """The entry for people."""
    bytes: int
    sha256: str
    about: dict[str, Any] = dataclasses.field(default_factory=dict)
    """What it was built from, for machines."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A file of the cache; its content was not compared with the manifest."""

    path: Path
    manifest: Manifest
    written: float
    """Seconds since the epoch."""


class BuildCache:
    """Built files by name, made once for all processes.

    Parameters
    ----------
    folder
        Where they lie, made when the first is; ``None`` is :func:`tercel.cache_folder.cache_folder`
        of ``simulation``.
    """

    def __init__(self, folder: Path | None = None):
        self._folder = cache_folder("simulation") if folder is None else folder

    @property
    def folder(self) -> Path:
        return self._folder

    def find(self, name: str) -> Path | None:
        """The file of an entry if it is there and as its manifest says."""
        path = self._folder / name
        try:
            manifest = _read_manifest(path)
            if manifest is None or path.stat().st_size != manifest.bytes:
                return None
            return path if _checksum(path) == manifest.sha256 else None
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
        """The file of an entry, built if it is not there or broken.

        Parameters
        ----------
        name
            32 hexadecimal digits, from what the entry depends on, and a suffix.
        build
            Gets an empty folder and returns the file that it made there.
        title, about
            Those of the manifest.
        progress
            Told if another process builds the entry, for which this one waits.

        Raises
        ------
        TercelError
            If the cache cannot be written, or the other process takes for ever.
        """
        if found := self.find(name):
            return found
        with self._explained():
            self._folder.mkdir(parents=True, exist_ok=True)
            with self._locked(name, progress):
                return self.find(name) or self._build(name, build, title, about or {})

    def log(self, name: str, text: str) -> Path | None:
        """Keep the log of a build that failed; ``None`` if there is no place for it."""
        path = self._folder / f"{name}{LOG}"
        try:
            write_whole(path, text)
        except TercelError:
            return None
        return path

    def entries(self) -> list[Entry]:
        """All that have a manifest, the oldest first.

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
        """Remove all entries but those that a process is building, and what builds left.

        Other files in the folder stay.

        Returns
        -------
        Bytes freed.

        Raises
        ------
        TercelError
            If something cannot be removed.
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
        return sorted(self._folder.iterdir()) if self._folder.is_dir() else []

    def _belongings(self, name: str) -> list[Path]:
        suffixes = ("", MANIFEST, SCRATCH, LOG)
        return [self._folder / f"{name}{suffix}" for suffix in suffixes]

    def _build(
        self, name: str, build: Callable[[Path], Path], title: str, about: dict[str, Any]
    ) -> Path:
        path = self._folder / name
        for old in self._belongings(name):  # Broken, or left by a process that was killed.
            _remove(old)
        scratch = self._folder / f"{name}{SCRATCH}"
        scratch.mkdir()
        try:
            built = build(scratch)
            manifest = Manifest(
                title=title, bytes=built.stat().st_size, sha256=_checksum(built), about=about
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
        """Turn errors of the system into one of the cache."""
        try:
            yield
        except OSError as error:
            raise self.refusal(error.strerror or str(error), error.errno) from error

    def refusal(self, reason: str, number: int | None = errno.ENOSPC) -> TercelError:
        """The error of a cache that cannot be used."""
        remedy = "free some space, or choose" if number in FULL else "choose"
        return TercelError(
            f"the cache of compiled accelerators, {self._folder}, cannot be used: {reason}; "
            f"{remedy} another folder with XDG_CACHE_HOME or --cache"
        )


def _take(path: Path) -> IO[str] | None:
    """A lock, or ``None`` if a process holds it; the system gives it back with the process.

    Its holder removes the file: who opened it before must look whether it is still the one that
    others find.
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


def _checksum(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _remove(path: Path) -> int:
    """Remove a file or a folder; the bytes that it had."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
        return 0
    with suppress(FileNotFoundError):
        size = path.lstat().st_size
        path.unlink()
        return size
    return 0
