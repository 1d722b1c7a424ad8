"""A command line whose standard output fails."""

import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

import pytest

from tercel.cli.app import app

MESSAGE = "error: standard output cannot be written: Bad file descriptor\n"


def status_of(arguments: Sequence[object], folder: Path) -> int | str | None:
    """Run ``tercel`` in this process with an unwritable standard output; return its exit status.

    Standard output is an empty file in ``folder``, opened for reading only.
    """
    unwritable = folder / "unwritable"
    unwritable.touch()
    descriptor = os.open(unwritable, os.O_RDONLY)
    try:
        raw = io.FileIO(descriptor, "wb", closefd=False)
        with (
            patch.object(sys, "stdout", io.TextIOWrapper(raw)),
            pytest.raises(SystemExit) as ended,
        ):
            app([str(argument) for argument in arguments])
    finally:
        os.close(descriptor)
    assert unwritable.read_bytes() == b""
    return ended.value.code
