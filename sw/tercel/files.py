"""Outputs that are whole or absent: written under a temporary name, flushed, then renamed.

Every file that tercel writes goes through this module, so that one rule holds everywhere:

- A regular file changes only when its new content is whole and on the disk. It keeps its mode, and
  its owner where the system allows that; a new file gets the mode that the umask leaves.
- A symbolic link is followed and the file it points to is replaced.
- A pipe, a character device, a descriptor (``/dev/stdout``, ``/dev/fd/N``) and ``-``, the standard
  output, are written to, never replaced; they get nothing until everything is written.
- A folder, a block device and a socket are refused, as is a file that is one of the inputs.
"""

import contextlib
import errno
import io
import os
import secrets
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO, TypeGuard

from tercel.errors import TercelError

__all__ = [
    "check_folder",
    "check_output",
    "is_standard_output",
    "make_folder",
    "scratch_file",
    "whole_file",
    "whole_folder",
    "write_errors",
    "write_whole",
]

STANDARD_OUTPUT = 1
LINKS = 40
"""Longest chain of symbolic links that is followed, as in Linux."""
NAME_LENGTH = 40
"""Characters of the output's name that its temporary file repeats, so that users recognise it."""
BLOCK_BYTES = 1 << 20
REMEDIES = {
    errno.ENOSPC: "free some space, or write to another disk",
    errno.EDQUOT: "free some space, or write to another disk",
    errno.EFBIG: "raise the limit of file sizes (ulimit -f)",
    errno.EACCES: "write where you have the permission, or change it",
    errno.EPERM: "write where you have the permission, or change it",
    errno.EROFS: "write to another disk, or mount this one writable",
    errno.ENOENT: "make its folder first, or name another one",
    errno.ENOTDIR: "name a path whose folders are folders",
    errno.EISDIR: "name a file, not a folder",
    errno.EEXIST: "name a folder, not a file",
    errno.ELOOP: "name a path whose links lead to a file",
    errno.ENXIO: "nothing reads it; start its reader first",
    errno.EPIPE: "let its reader read to the end",
}


@contextlib.contextmanager
def whole_file(path: str | os.PathLike[str], *, inputs: Iterable[Path] = ()) -> Iterator[BinaryIO]:
    """Yield a stream whose bytes become the content of ``path`` at the end of the block.

    The stream is seekable for every kind of ``path``; its ``name`` is the path of the temporary
    file. Outputs that cannot be written are refused on entry, so enter before the expensive work.
    On any exception or interrupt, ``path`` is unchanged and the temporary file is removed.

    Parameters
    ----------
    path
        ``-`` is the standard output.
    inputs
        Files that the content is made from, existing or not. None of them may be ``path``; they
        are compared by device and inode.

    Raises
    ------
    TercelError
        If ``path`` cannot be written or is one of the inputs. Exceptions of the block that are
        not write errors pass through.
    BrokenPipeError
        If ``path`` is the standard output and its reader has closed it.
    """
    path = Path(path)
    with contextlib.ExitStack() as stack:
        with write_errors(path):
            place = _destination(path)
            status = _check(path, place, inputs)
            if _is_file(place, status):
                raw = _create(place.parent, place.name)
                finish = partial(_replace, raw, place)
            else:
                sink = _open_sink(place)
                stack.callback(os.close, sink)
                raw = _create(Path(tempfile.gettempdir()), path.name)
                finish = partial(_copy, raw, sink)
            stack.callback(Path(raw.name).unlink, missing_ok=True)
            stack.callback(raw.close)
            if _is_file(place, status) and status:
                _imitate(raw, status)
        file = io.BufferedWriter(raw)
        try:
            yield file
            file.flush()
        except Exception as error:
            if raw.failure is None:
                raise
            raise _refusal(path, raw.failure) from error
        with write_errors(path):
            finish()


@contextlib.contextmanager
def scratch_file(beside: BinaryIO) -> Iterator[BinaryIO]:
    """Yield a file without a name for reading and writing, which is gone after the block.

    Parameters
    ----------
    beside
        The stream of :func:`whole_file`, on whose disk the file is; beside any other stream it is
        in the system's temporary folder.

    Raises
    ------
    TercelError
        If it cannot be made.
    """
    name = getattr(beside, "name", None)
    named = isinstance(name, (str, os.PathLike))
    folder = Path(name).parent if named else Path(tempfile.gettempdir())
    with contextlib.ExitStack() as stack:
        with write_errors(folder):
            file = stack.enter_context(tempfile.TemporaryFile(dir=folder))
        yield file


def write_whole(
    path: str | os.PathLike[str], content: bytes | str, *, inputs: Iterable[Path] = ()
) -> None:
    """Write a file as :func:`whole_file` does; text as UTF-8."""
    with whole_file(path, inputs=inputs) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def check_output(
    path: str | os.PathLike[str], *, inputs: Iterable[Path] = (), regular: bool = False
) -> None:
    """Check an output as :func:`whole_file` does on entry, without opening it.

    Meant for work that runs outside the block. A pipe is not opened, because closing it would end
    its reader.

    Parameters
    ----------
    regular
        Also refuse an existing ``path`` that is not a regular file, for outputs that are read
        again.

    Raises
    ------
    TercelError
        As :func:`whole_file` does.
    """
    path = Path(path)
    with write_errors(path):
        place = _destination(path)
        status = _check(path, place, inputs)
        if _is_file(place, status):
            _try_create(place.parent, place.name)
        elif regular:
            raise TercelError(f"{path} is no regular file, and must be one; name a file")


def check_folder(
    folder: Path, names: Iterable[str] = (), *, inputs: Iterable[Path] = (), regular: bool = False
) -> None:
    """Check that a folder, and the named files in it, can be written; create nothing.

    The folder may be absent, as may the files.

    Raises
    ------
    TercelError
        If the folder cannot be created or written in, or as :func:`check_output` for the first
        existing file that it refuses.
    """
    with write_errors(folder):
        there = next(path for path in (folder, *folder.parents) if path.exists())
        _try_create(there, folder.name)
    inputs = tuple(inputs)
    for name in names:
        if os.path.lexists(folder / name):
            check_output(folder / name, inputs=inputs, regular=regular)


def is_standard_output(path: Path) -> bool:
    """True if a path is the standard output: ``-`` or another name of descriptor 1.

    Raises
    ------
    TercelError
        If the links of the path cannot be followed.
    """
    with write_errors(path):
        return _destination(path) == STANDARD_OUTPUT


def make_folder(path: Path) -> None:
    """Create a folder and its missing parents.

    Raises
    ------
    TercelError
        If they cannot be created.
    """
    with write_errors(path):
        path.mkdir(parents=True, exist_ok=True)


@contextlib.contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside ``path``, which replaces ``path`` at the end of the block.

    On any exception ``path`` is unchanged and the temporary folder is removed. A symbolic link is
    followed. Files get at least the permissions to read and write that the umask leaves, whatever
    library wrote them.

    Raises
    ------
    TercelError
        If the folder cannot be created or renamed.
    """
    with write_errors(path):
        path = Path(os.path.realpath(path))
    scratch = path.with_name(_temporary(path.name))
    part, old = scratch / "new", scratch / "old"
    try:
        with write_errors(path):
            part.mkdir(parents=True)
        yield part
        with write_errors(path):
            allowed = part.stat().st_mode & 0o666
            for file in filter(Path.is_file, part.rglob("*")):
                file.chmod(file.stat().st_mode | allowed)
                with file.open("rb") as opened:
                    os.fsync(opened.fileno())
            if path.exists():
                os.rename(path, old)
            try:
                os.rename(part, path)
            except OSError:
                if old.exists():
                    os.rename(old, path)
                raise
            _flush_folder(path.parent)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@contextlib.contextmanager
def write_errors(path: Path) -> Iterator[None]:
    """Turn an ``OSError`` within the block into one line about ``path``, with a remedy.

    Raises
    ------
    TercelError
        In place of an ``OSError``. A broken pipe of the standard output passes through.
    """
    try:
        yield
    except OSError as error:
        if isinstance(error, BrokenPipeError) and _destination(path) == STANDARD_OUTPUT:
            raise
        raise _refusal(path, error) from error


class _Part(io.FileIO):
    """A new file that keeps the ``OSError`` of a failed write.

    Libraries that write to it may replace the error by one of their own.
    """

    failure: OSError | None = None

    def write(self, data, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            self.failure = error
            raise


def _destination(path: Path) -> Path | int:
    """Follow symbolic links to a path that is not a link, or to a descriptor of this process.

    Raises
    ------
    OSError
        If there are more than :data:`LINKS` links.
    """
    if path == Path("-"):
        return STANDARD_OUTPUT
    for _ in range(LINKS):
        folder = os.path.realpath(path.parent)
        if folder in ("/dev/fd", f"/proc/{os.getpid()}/fd") and path.name.isdigit():
            return int(path.name)
        path = Path(folder, path.name)
        if not path.is_symlink():
            return path
        path = Path(folder, os.readlink(path))
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def _check(path: Path, place: Path | int, inputs: Iterable[Path]) -> os.stat_result | None:
    """Status of a writable destination; ``None`` if it does not exist."""
    try:
        status = os.stat(place)
    except FileNotFoundError:
        return None
    for given in inputs:
        with contextlib.suppress(OSError):  # the reader of a missing input reports it
            if os.path.samestat(status, os.stat(given)):
                raise TercelError(f"{path} is the input {given} too; name another output")
    mode = status.st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if stat.S_ISBLK(mode) or stat.S_ISSOCK(mode):
        kind = "block device" if stat.S_ISBLK(mode) else "socket"
        raise TercelError(f"{path} is a {kind}, which is not written to; name a file")
    if not isinstance(place, int) and not os.access(place, os.W_OK, effective_ids=True):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return status


def _is_file(place: Path | int, status: os.stat_result | None) -> TypeGuard[Path]:
    """True if a destination is a regular file or absent, so that a new file can replace it."""
    return isinstance(place, Path) and (status is None or stat.S_ISREG(status.st_mode))


def _open_sink(place: Path | int) -> int:
    """Open a pipe, device or descriptor for writing in place."""
    if isinstance(place, int):
        if sys.stdout is not None:
            sys.stdout.flush()
        return os.dup(place)
    # O_NONBLOCK: a pipe without a reader fails at once instead of blocking.
    sink = os.open(place, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    os.set_blocking(sink, True)
    return sink


def _temporary(name: str) -> str:
    return f".{name[:NAME_LENGTH]}.{secrets.token_hex(4)}.tmp"


def _create(folder: Path, name: str) -> _Part:
    return _Part(folder / _temporary(name), "xb")


def _try_create(folder: Path, name: str) -> None:
    with _create(folder, name) as raw:
        os.unlink(raw.name)


def _imitate(raw: _Part, status: os.stat_result) -> None:
    """Copy the mode, and the owner where permitted, of the file that ``raw`` will replace."""
    if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
        with contextlib.suppress(PermissionError):
            os.fchown(raw.fileno(), status.st_uid, status.st_gid)
    os.fchmod(raw.fileno(), stat.S_IMODE(status.st_mode))


def _replace(raw: _Part, path: Path) -> None:
    os.fsync(raw.fileno())
    os.replace(raw.name, path)
    _flush_folder(path.parent)


def _copy(raw: _Part, sink: int) -> None:
    with open(raw.name, "rb") as file:
        while block := file.read(BLOCK_BYTES):
            rest = memoryview(block)
            while rest:
                rest = rest[os.write(sink, rest) :]


def _flush_folder(folder: Path) -> None:
    """Make a rename survive a crash, where the file system supports it."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _refusal(path: Path, error: OSError) -> TercelError:
    reason = error.strerror or str(error)
    if remedy := REMEDIES.get(error.errno or 0):
        reason += f"; {remedy}"
    name = "standard output" if path == Path("-") else path
    return TercelError(f"cannot write {name}: {reason}")
