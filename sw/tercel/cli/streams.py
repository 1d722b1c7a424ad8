"""Standard output and standard error of the process, and their failures."""

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

__all__ = ["OutputError", "standard_streams"]


class OutputError(Exception):
    """Standard output cannot be written.

    Not an ``OSError``, so that no handler mistakes it for the failure of a file.
    """

    def __init__(self, error: OSError):
        super().__init__(f"standard output cannot be written: {error.strerror}")
        self.reader_gone = error.errno == errno.EPIPE


class _Sink(io.RawIOBase):
    """Raw stream to a descriptor that drops all bytes after its first failure.

    Parameters
    ----------
    descriptor
        ``None`` if the process was started without one.
    required
        Raise an :class:`OutputError` on a failure; otherwise ignore it.
    """

    def __init__(self, descriptor: int | None, *, required: bool):
        self.name = "<stdout>" if required else "<stderr>"
        self._descriptor = descriptor
        self._required = required
        self._failed = False

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return super().fileno() if self._descriptor is None else self._descriptor

    def isatty(self) -> bool:
        return self._descriptor is not None and os.isatty(self._descriptor)

    def write(self, data, /) -> int:
        rest = memoryview(data).cast("B")
        size = len(rest)
        try:
            while rest and not self._failed:
                if self._descriptor is None:
                    raise OSError(errno.EBADF, os.strerror(errno.EBADF))
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            self._failed = True
            if self._required:
                raise OutputError(error) from error
        return size


@contextmanager
def standard_streams() -> Iterator[None]:
    """Within the block, standard output fails with an :class:`OutputError`, standard error never.

    Characters that the streams cannot encode become ``?``. Streams without a descriptor, such as
    those of tests, are left in place.
    """
    kept = sys.stdout, sys.stderr
    sys.stdout = _checked(sys.stdout, required=True)
    sys.stderr = _checked(sys.stderr, required=False)
    try:
        yield
    finally:
        sys.stderr.flush()
        sys.stdout, sys.stderr = kept


def _checked(stream: TextIO | None, *, required: bool) -> TextIO:
    """A checked stream to the descriptor of ``stream``."""
    if stream is None:
        sink = _Sink(None, required=required)
        return io.TextIOWrapper(sink, encoding="utf-8", errors="replace", line_buffering=True)
    try:
        sink = _Sink(stream.fileno(), required=required)
    except io.UnsupportedOperation:
        return stream
    stream.flush()
    return io.TextIOWrapper(
        sink,
        encoding=stream.encoding,
        errors="replace",
        line_buffering=getattr(stream, "line_buffering", True),
        write_through=getattr(stream, "write_through", False),
    )
